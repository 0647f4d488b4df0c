import type { Config } from '../../core/config.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Git } from '../../core/git.ts'

/** A repository on GitHub or on an Enterprise server. */
export interface Place {
  owner: string
  name: string
  /** Host and port of the web pages, e.g. `github.com`. */
  host: string
  /** Root of the REST API without a slash at the end, e.g. `https://api.github.com`. */
  api: string
}

/**
 * Returns the repository that a remote's address means, as git understands addresses: `https://host/owner/name.git`,
 * `ssh://git@host/owner/name`, `git@host:owner/name`. A name or password in the address is left out. Undefined when the
 * address is no such thing, e.g. a folder.
 */
export function parsePlace(url: string): Place | undefined {
  const scp = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/)([^\s]+)$/.exec(url)
  if (scp && !/^[a-z]$/i.test(scp[1] as string)) return placeOf('https:', scp[1] as string, scp[2] as string)
  if (!/^(?:https?|ssh|git\+ssh):\/\//.test(url) || !URL.canParse(url)) return undefined
  const { protocol, host, hostname, pathname } = new URL(url)
  const isWeb = protocol === 'https:' || protocol === 'http:'
  // The port of an SSH address is not that of the API.
  return placeOf(isWeb ? protocol : 'https:', isWeb ? host : hostname, pathname.slice(1))
}

/**
 * Returns the repository that a configuration means: `github.repository`, or what the git remote `remote` (else `origin`)
 * points at.
 *
 * @throws VT_FORGE_REMOTE when there is neither; VT_FORGE_INSECURE when the API would be asked without encryption from
 *   another machine
 */
export async function findPlace(git: Git, config: Pick<Config, 'remote' | 'github'>): Promise<Place> {
  const remote = config.remote ?? 'origin'
  const found = await git.run(['config', '--get', `remote.${remote}.url`], { okExit: [0, 1] })
  const url = found.stdout.trim()
  const byRemote = url === '' ? undefined : parsePlace(url)
  const named = config.github.repository?.split('/') as [string, string] | undefined
  const place = named ? { ...(byRemote ?? GITHUB), owner: named[0], name: named[1] } : byRemote
  if (!place) throw noPlace(remote, url)
  return requireSafe({ ...place, api: (config.github.api ?? place.api).replace(/\/+$/, '') })
}

/**
 * Refuses a set-up in which pull requests would be opened in a repository that no branch is ever pushed to. Reads the
 * clone's own configuration only, so that nothing is claimed or asked before it is told.
 *
 * @throws VT_FORGE_REMOTE
 */
export async function requirePushable(git: Git, config: Pick<Config, 'remote'>, { owner, name }: Place): Promise<void> {
  const { remote } = config
  const wanted = `${owner}/${name}`
  const hint = (todo: string) => `${todo} in .valuetrain/config.yaml, and commit it`
  if (remote === null)
    throw unpushable(`\`remote\` is null, so no branch would ever reach ${wanted}`, hint('set `remote: origin`'))
  const found = await git.run(['config', '--get', `remote.${remote}.url`], { okExit: [0, 1] })
  const url = found.stdout.trim()
  if (url === '')
    throw unpushable(
      `there is no git remote "${remote}" that branches could be pushed to`,
      `run \`git remote add ${remote} https://github.com/${wanted}.git\``,
    )
  const there = parsePlace(url)
  if (there === undefined)
    throw unpushable(
      `the git remote "${remote}" is no repository on a GitHub host, and pull requests would be opened in ${wanted}`,
      `run \`git remote set-url ${remote} https://github.com/${wanted}.git\``,
    )
  if (`${there.owner}/${there.name}`.toLowerCase() === wanted.toLowerCase()) return
  throw unpushable(
    `the git remote "${remote}" is ${there.owner}/${there.name}, and pull requests would be opened in ${wanted}`,
    hint('let `remote` and `github.repository` mean the same repository'),
  )
}

function unpushable(message: string, hint: string): ValuetrainError {
  return new ValuetrainError('VT_FORGE_REMOTE', message, { kind: 'config', hint })
}

/** Returns the address of the web page, for people. */
export function pageOf({ host, owner, name, api }: Place): string {
  return `${api.startsWith('http:') ? 'http' : 'https'}://${host}/${owner}/${name}`
}

const GITHUB = { host: 'github.com', api: 'https://api.github.com' }

function placeOf(protocol: string, host: string, path: string): Place | undefined {
  const [, owner, name] = /^\/?([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/.exec(path) ?? []
  if (owner === undefined || name === undefined) return undefined
  // GitHub answers SSH at a second name, for networks that close port 22.
  const web = /^(?:www\.|ssh\.)?github\.com$/i.test(host) ? 'github.com' : host.toLowerCase()
  const isTenant = /^[\w-]+\.ghe\.com$/.test(web)
  const api = web === 'github.com' ? GITHUB.api : isTenant ? `https://api.${web}` : `${protocol}//${web}/api/v3`
  return { owner, name, host: web, api }
}

/** A token goes over an open line only to this machine itself. */
function requireSafe(place: Place): Place {
  const { protocol, hostname } = new URL(place.api)
  if (protocol === 'https:' || ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)) return place
  throw new ValuetrainError('VT_FORGE_INSECURE', `the API at ${place.api} would be asked without encryption`, {
    kind: 'config',
    hint: 'use an https address for the remote, or set `github.api` to one',
  })
}

function noPlace(remote: string, url: string): ValuetrainError {
  const what =
    url === '' ? `there is no git remote "${remote}"` : `the git remote "${remote}" is not a repository on a GitHub host`
  return new ValuetrainError('VT_FORGE_REMOTE', `${what}, so \`forge: github\` has nowhere to go`, {
    kind: 'config',
    hint: `run \`git remote add ${remote} https://github.com/OWNER/NAME.git\`, or set \`github.repository: OWNER/NAME\``,
  })
}
