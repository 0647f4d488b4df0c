import { rmSync } from 'node:fs'
import type { Ports } from '../conductor/ports.ts'
import type { FoundTicket } from '../conductor/sources.ts'
import type { Config } from '../core/config.ts'
import { type Forge, isHosted } from '../core/contracts/forge.ts'
import type { GateSpec } from '../core/contracts/gate.ts'
import type { FileReader, Method } from '../core/contracts/method.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import type { Repository } from '../core/repository.ts'
import type { GithubForge } from '../forge/github/index.ts'
import { withoutCredentials } from '../forge/github/names.ts'
import type { Context } from './context.ts'
import type { RunDisplay } from './display/run.ts'
import { decisionsIn, routingFor } from './routing.ts'
import { choosingTraining } from './train-choice.ts'

/** A repository as it lies in its main working tree, for commands that read or write files there. */
export interface Here {
  repository: Repository
  /** Reads the main working tree; in a bare repository the commit HEAD names. */
  reader: FileReader
  config: Config
  /** Whether there is a configuration file. */
  found: boolean
}

/**
 * Opens the repository a command was called in, with the configuration of its working tree.
 *
 * @throws VT_NO_REPOSITORY; VT_YAML or VT_CONFIG when the file is wrong
 */
export async function openHere(context: Context): Promise<Here> {
  const [{ openRepository }, { readerAt, readerOf }, { readConfig }] = await Promise.all([
    import('../core/repository.ts'),
    import('../core/reader.ts'),
    import('../core/config.ts'),
  ])
  // Whether a token is for the forge, and so for nobody else, is known once the configuration is read.
  const quiet = await openRepository(context.cwd, withoutCredentials(context.env))
  const reader = quiet.root === null ? readerAt(quiet.git, 'HEAD') : readerOf(quiet.root)
  const found = await readConfig(reader)
  return { repository: found.config.forge === 'github' ? quiet : await inFull(quiet, context.env), reader, ...found }
}

/** Gives a repository the whole environment back, where no token in it is the forge's. Asks git nothing. */
async function inFull(quiet: Repository, env: NodeJS.ProcessEnv): Promise<Repository> {
  const { openGit } = await import('../core/git.ts')
  return { ...quiet, env, git: openGit(quiet.git.dir, env) }
}

/**
 * Returns the methodology that holds where a command was called: built-in, with the repository's overrides; outside
 * a repository the built-in one.
 */
export async function methodHere(context: Context): Promise<Method> {
  const { loadMethod } = await import('../modes/index.ts')
  const { reader, config } = await openHere(context).catch(nothingWithoutRepository)
  return loadMethod(reader, config)
}

/** Returns the configuration where a command was called; outside a repository what one without a file has. */
export async function configHere(context: Context): Promise<Config> {
  return (await openHere(context).catch(nothingWithoutRepository)).config
}

/** Opens the place where issues live, by the working tree's configuration unless the command line names another. */
export async function openIssues(context: Context, override: 'local' | 'github' | undefined): Promise<Here & { forge: Forge }> {
  const here = await openHere(context)
  return { ...here, ...(await forgeOf(context, here.repository, here.config, override)) }
}

/**
 * Joins the parts for the conductor. Everything that judges or runs comes from the committed configuration.
 *
 * @throws VT_NO_REPOSITORY, VT_UNBORN; with `forge: github` what `githubForge` throws, and VT_FORGE_REMOTE when branches
 *   could not be pushed to where pull requests would be opened
 */
export async function openPorts(
  context: Context,
  options: { forge: 'local' | 'github' | undefined; display: RunDisplay; isJailWaived?: boolean },
): Promise<Ports> {
  const [{ openRepository }, { readerAt }, { committedConfig }, agents, { gatewayFor }] = await Promise.all([
    import('../core/repository.ts'),
    import('../core/reader.ts'),
    import('../conductor/definitions.ts'),
    import('../agents/index.ts'),
    import('./models.ts'),
  ])
  const quiet = await openRepository(context.cwd, withoutCredentials(context.env))
  const config = await committedConfig(quiet)
  const isLocal = (options.forge ?? config.forge) === 'local'
  const opened = isLocal ? await inFull(quiet, context.env) : quiet
  const { forge, repository } = await forgeOf(context, opened, config, options.forge)
  if (isHosted(forge)) {
    const { requirePushable } = await import('../forge/github/index.ts')
    await requirePushable(opened.git, config, (forge as GithubForge).place)
  }
  const { env } = repository
  const script = await agents.loadScript(readerAt(repository.git, 'HEAD'))
  const { display } = options
  return {
    repository,
    forge,
    runtimes: agents.listRuntimes({ env, script, config }),
    clock: context.clock,
    ids: context.ids,
    env,
    ...(options.isJailWaived ? { isJailWaived: true } : {}),
    signal: context.signal,
    select: agents.selectIssues,
    choose: await choosingTraining(agents.chooseRuntime, context, decisionsIn(repository, config)),
    route: routingFor(context, repository, forge, (text) => display.say(text)),
    broker: (facts) => agents.openBroker({ ...facts, caps: agents.CAPS }),
    brief: agents.briefOf,
    models: await gatewayFor(context, repository, config),
    onEvent: (ticket, entry) => display.event(ticket, entry),
    onTurn: (ticket, event) => display.turn(ticket, event),
    onProgress: (ticket, text) => display.progress(ticket, text),
  }
}

/**
 * Opens the forge, and the repository as it is to be used with it. With one on another machine git and everything that is
 * started is without the forge's tokens, and git itself may ask for one through the forge.
 */
async function forgeOf(
  context: Context,
  repository: Repository,
  config: Config,
  override: 'local' | 'github' | undefined,
): Promise<{ forge: Forge; repository: Repository }> {
  if ((override ?? config.forge) === 'local') {
    const { localForge } = await import('../forge/local.ts')
    return { repository, forge: localForge({ repository, config, clock: context.clock, ids: context.ids }) }
  }
  return openHosted(context, repository, config)
}

/** Opens GitHub for a clone. `patienceMs` says how long an outage is waited for. */
export async function openHosted(
  context: Context,
  repository: Repository,
  config: Config,
  patienceMs?: number,
): Promise<{ forge: GithubForge; repository: Repository }> {
  const [{ githubForge }, { openGit }, { throughAccess }] = await Promise.all([
    import('../forge/github/index.ts'),
    import('../core/git.ts'),
    import('../core/access.ts'),
  ])
  const { clock, ids, signal } = context
  const { dir } = repository.git
  const env = withoutCredentials(context.env)
  const plain = { ...repository, env, git: openGit(dir, env) }
  const forge = await githubForge({
    repository: plain,
    config,
    clock,
    ids,
    env: context.env,
    signal,
    onWait: (text) => context.stderr.write(`${text}\n`),
    onFolder: removeAtExit,
    ...(patienceMs === undefined ? {} : { patienceMs }),
  })
  const access = await forge.gitAccess()
  // Only calls over the network are let in: a commit, and the hooks it runs, cannot ask for the token.
  return { forge, repository: { ...plain, git: throughAccess(plain.git, async () => access.env) } }
}

function removeAtExit(folder: string): void {
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
}

async function nothingWithoutRepository(error: unknown): Promise<{ reader: FileReader; config: Config }> {
  if ((error as { code?: unknown }).code !== 'VT_NO_REPOSITORY') throw error
  const { defaultConfig } = await import('../core/config.ts')
  return { reader: { source: 'nothing', read: async () => undefined, list: async () => [] }, config: defaultConfig() }
}

/** Opens what looking at tickets needs: the repository, and no agent, forge or display. */
export async function openSurvey(context: Context): Promise<{ repository: Repository }> {
  const { openRepository } = await import('../core/repository.ts')
  return { repository: await openRepository(context.cwd, context.env) }
}

/** Returns the tickets a word names: a ticket's own, or all of an issue's; every ticket when there is no word. */
export async function ticketsNamed(
  context: Context,
  word: string | undefined,
): Promise<{ repository: Repository; tickets: FoundTicket[] }> {
  const [{ committedConfig }, { findTickets }, { repository }] = await Promise.all([
    import('../conductor/definitions.ts'),
    import('../conductor/sources.ts'),
    openSurvey(context),
  ])
  const all = await findTickets(repository, await committedConfig(repository))
  if (word === undefined) return { repository, tickets: all }
  const tickets = all.filter(
    ({ ticket, issue }) => ticket === word || (/^#?\d+$/.test(word) && issue === Number(word.replace('#', ''))),
  )
  if (tickets.length > 0) return { repository, tickets }
  throw new ValuetrainError(
    'VT_TICKET_UNKNOWN',
    `there is no ticket "${word.slice(0, 80)}"${didYouMean(
      word,
      all.map(({ ticket }) => ticket),
    )}`,
    {
      hint: all.length === 0 ? 'start one with `valuetrain run N`' : '`valuetrain status --all` lists the tickets',
    },
  )
}

/** Returns the name git would commit with: who an operator's act is by. */
export async function operatorName(repository: Repository): Promise<string> {
  const { stdout, code } = await repository.git.run(['var', 'GIT_AUTHOR_IDENT'], { okExit: [0, 1, 128] })
  const name = code === 0 ? /^(.*?) <[^>]*> \d+ /.exec(stdout)?.[1] : undefined
  if (name) return name
  throw new ValuetrainError('VT_NO_IDENTITY', 'git knows no name to record this act with', {
    kind: 'environment',
    hint: 'run `git config user.name "Your Name"` and `git config user.email you@example.com`',
  })
}

/** Returns every gate of the working tree's configuration, by id. Extensions are loaded only to judge, from a commit. */
export async function gatesHere(context: Context): Promise<ReadonlyMap<string, GateSpec>> {
  const [{ resolveGates }, { config }, method] = await Promise.all([
    import('../gates/index.ts'),
    openHere(context).catch(nothingWithoutRepository),
    methodHere(context),
  ])
  return resolveGates({ config, method })
}
