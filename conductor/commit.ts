import { join } from 'node:path'
import { askHooks, type CommitHooks, findCommitHooks } from '../core/commit-hooks.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { openHistory } from '../core/history.ts'
import { jailLimits, toolFolders } from '../core/jail.ts'
import { chooseJail } from '../core/jail-probe.ts'
import { subjectTree } from '../core/tree.ts'
import { commitMessageOf, settleIntents } from './intents.ts'
import type { Job, Step } from './job.ts'
import { leaksIn } from './leaks.ts'
import { withTrailers, writePapers } from './record.ts'
import { strike } from './work.ts'

/** How often hooks that change the tree are shown it again. */
const ROUNDS = 3

/**
 * Commits what the turn changed, under a name that a restart finds again: the intent's id is the commit's
 * `Valuetrain-Event`. The repository's own hooks are asked first, in the jail where there is one, since this is code.
 */
export async function commitWork(job: Job): Promise<Step> {
  const { desk } = job
  const { control, ledger } = desk.state
  if (control.intent === undefined) {
    const turn = ledger.lastTurn?.turn as string
    await desk.record('WORK_INTENDED', { phase: control.phase as string, attempt: control.attempt, turn })
  }
  const intent = desk.state.control.intent as string
  const made = (await findCommit(job, intent)) ?? (await makeCommit(job, intent))
  if (made === undefined) {
    await desk.record('WORK_UNCHANGED', { intent, subject: await subjectTree(desk.git, 'HEAD') })
    await settleIntents(job)
    return 'go-on'
  }
  // The intent stands; whoever goes on finds no commit of it and makes one.
  if (made === 'stopped') return 'go-on'
  if ('leaks' in made) {
    const reasons = [`nothing was committed, because keys would have been: ${made.leaks.slice(0, 5).join('; ')}; take them out`]
    await desk.record('DECIDED', strike(job, 'secret-refused', reasons))
    return 'go-on'
  }
  if ('refused' in made) {
    await desk.record('DECIDED', strike(job, 'hook-refused', [`a hook of the repository refused the commit: ${made.refused}`]))
    return 'go-on'
  }
  await desk.record('WORK_COMMITTED', { intent, ...made })
  await settleIntents(job)
  return 'go-on'
}

interface Made {
  commit: string
  subject: string
  files: number
  added: number
  removed: number
  /** Hooks that were asked in a jail, and how often until the tree stayed as it was. */
  hooks?: { names: string[]; rounds: number }
}

async function findCommit({ desk, definitions }: Job, intent: string): Promise<Made | undefined> {
  const range = `${definitions.commit}..HEAD`
  const format = '--format=%H %(trailers:key=Valuetrain-Event,valueonly,separator=%x20)'
  const lines = (await desk.git.text(['log', format, range, '--'])).split('\n')
  const commit = lines.find((line) => line.endsWith(` ${intent}`))?.split(' ')[0]
  return commit === undefined ? undefined : measure({ desk }, commit)
}

async function makeCommit(
  job: Job,
  intent: string,
): Promise<Made | { refused: string } | { leaks: string[] } | 'stopped' | undefined> {
  const { desk } = job
  if (!(await stageWork(job))) return undefined
  const leaks = await leaksIn(desk.git, await desk.git.text(['write-tree']), job.definitions.config.size.maxBytes)
  if (leaks.length > 0) return { leaks }
  const { program } = await chooseJail(job.definitions.config.jail, desk.ports.env, desk.ports.isJailWaived)
  const hooks = await findCommitHooks(desk.ports.repository, desk.worktree.dir)
  if (hooks === undefined) return commitStaged(job, intent, false)
  if (program === undefined) return commitStaged(job, intent, true)
  const asked = await settleHooks(job, hooks, program, intent)
  if (asked === 'stopped' || 'refused' in asked) return asked
  const made = await commitStaged(job, intent, false)
  return 'refused' in made ? made : { ...made, hooks: { names: hooks.names, rounds: asked.rounds } }
}

/** Puts everything but the ticket's own papers into the index, and the papers as they are now; false when nothing changed. */
async function stageWork({ desk }: Job): Promise<boolean> {
  const own = ['session-*', 'ticket.md', 'checklist.md'].map((name) => `:(top,exclude,glob)${ticketFolder(desk.ticket)}/${name}`)
  await desk.git.run(['add', '--all', '--', ':(top)', ...own])
  if (await desk.git.succeeds(['diff', '--cached', '--quiet', 'HEAD', '--', ':(top)', ...own])) return false
  await writePapers(desk)
  await desk.git.run(['add', '--force', '--', `:(top,glob)${ticketFolder(desk.ticket)}/*`])
  return true
}

/** Asks the hooks until they say yes to a tree that they leave as it is; what they change is staged and shown to them again. */
async function settleHooks(
  job: Job,
  hooks: CommitHooks,
  program: string,
  intent: string,
): Promise<{ rounds: number } | { refused: string } | 'stopped'> {
  const { desk, definitions } = job
  const { config } = definitions
  for (let rounds = 1; rounds <= ROUNDS; rounds++) {
    const shown = await desk.git.text(['write-tree'])
    const said = await askHooks(hooks, {
      program,
      repository: desk.ports.repository,
      git: desk.git,
      message: workMessage(job, intent),
      artifacts: join(desk.folder, 'artifacts'),
      protected: config.protected,
      tools: toolFolders(config, desk.ports.env),
      env: job.env,
      limits: { totalMs: config.limits.gateMs, outputBytes: config.limits.outputBytes },
      jailLimits: jailLimits(config),
      signal: job.signal,
    })
    if (job.signal.aborted) return 'stopped'
    if (said !== undefined) return { refused: said }
    await stageWork(job)
    if ((await desk.git.text(['write-tree'])) === shown) return { rounds }
  }
  return { refused: `they changed the tree in each of ${ROUNDS} rounds, so nobody has said yes to what would be committed` }
}

async function commitStaged(
  { desk, definitions, ...job }: Job,
  intent: string,
  hooks: boolean,
): Promise<Made | { refused: string }> {
  const before = await desk.tip()
  const done = await desk.git.run(['commit', '--quiet', '--file=-'], {
    input: workMessage({ desk, definitions, ...job }, intent),
    hooks,
    okExit: [0, 1, 128],
    timeoutMs: definitions.config.limits.gateMs,
  })
  const commit = await desk.tip()
  if (commit === before) return { refused: done.stderr.trim().split('\n').slice(-5).join(' / ') || `exit code ${done.code}` }
  return measure({ desk }, commit)
}

function workMessage({ desk, definitions }: Job, intent: string): string {
  const issue = desk.state.ledger.opened?.issue
  const title = (issue?.title ?? desk.ticket).replace(/\s+/g, ' ').trim()
  const labels = issue?.labels ?? []
  const type = labels.includes('bug') ? 'fix' : labels.includes('docs') ? 'docs' : 'feat'
  const conventional = definitions.config.commits.conventional ? `${type}: ` : ''
  const subject = `${conventional}${title}`.slice(0, 68)
  const told = commitMessageOf(desk.state)
  return withTrailers(`${subject} (#${issue?.number})${told === undefined ? '' : `\n\n${told}`}`, {
    'Valuetrain-Ticket': desk.ticket,
    'Valuetrain-Session': `${desk.segment}:${desk.head}`,
    'Valuetrain-Event': intent,
    ...desk.state.ledger.lastTurn?.trailers,
  })
}

async function measure({ desk }: Pick<Job, 'desk'>, commit: string): Promise<Made> {
  const { paths } = await openHistory(desk.worktree.dir, desk.ports.env).size(`${commit}^`, commit)
  const own = paths.filter(({ path }) => !path.startsWith('.valuetrain/tickets/'))
  return {
    commit,
    subject: await subjectTree(desk.git, commit),
    files: own.length,
    added: own.reduce((total, { added }) => total + added, 0),
    removed: own.reduce((total, { removed }) => total + removed, 0),
  }
}
