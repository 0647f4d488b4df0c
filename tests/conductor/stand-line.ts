import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Ports } from '../../conductor/ports.ts'
import { type Config, parseConfig } from '../../core/config.ts'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { type Git, openGit } from '../../core/git.ts'
import type { Stand, StandRepository } from '../support/github/index.ts'
import type { Json } from '../support/github/types.ts'
import { testEnvironment } from '../support/repository.ts'
import { hostedPorts } from './hosted-ports.ts'
import { CONFIG as LOCAL } from './line.ts'

/** The configuration of the local tests, for a forge of another machine that is asked without pauses. */
export const CONFIG = `${LOCAL}forge: github
remote: origin
github:
  writeEveryMs: 0
`

/** A clone of a repository on the stand, with the conductor's ports joined to it. */
export interface StandLine {
  at: StandRepository
  dir: string
  env: NodeJS.ProcessEnv
  ports: Ports
  config: Config
  written: { ticket: string; entry: PlacedEntry }[]
  told: string[]
  types(): string[]
  /** Opens an issue as a person who may write, and returns its number. */
  issue(title: string, labels: readonly string[], body?: string): Promise<number>
  pulls(): Promise<Json[]>
  /** Refs here without what was seen of the remote, refs there, and how many worktrees there are. */
  leftovers(): Promise<{ here: string[]; there: string[]; worktrees: number }>
}

/** Makes a repository on the stand with these files and joins a clone of it. */
export async function standLine(
  stand: Stand,
  name: string,
  files: Record<string, string>,
  config = CONFIG,
  overrides: Partial<Ports> = {},
): Promise<StandLine> {
  const at = await stand.repository(name, { ...files, '.valuetrain/config.yaml': config })
  return cloneLine(stand, at, config, overrides)
}

/** Joins another clone of a repository on the stand. */
export async function cloneLine(
  stand: Stand,
  at: StandRepository,
  config = CONFIG,
  overrides: Partial<Ports> = {},
): Promise<StandLine> {
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-line-')))
  onTestFinished(() => rm(outside, { recursive: true, force: true }))
  const env = testEnvironment(outside)
  const dir = join(outside, 'repo')
  await cloneInto(stand, at, dir, env)
  const written: StandLine['written'] = []
  const told: string[] = []
  const { ports, close } = await hostedPorts(dir, env, stand.token('pilot'), {
    onEvent: (ticket, entry) => written.push({ ticket, entry }),
    onProgress: (ticket, text) => told.push(`${ticket}: ${text}`),
    ...overrides,
  })
  onTestFinished(close)
  return {
    at,
    dir,
    env,
    ports,
    config: parseConfig(config),
    written,
    told,
    types: () => written.map(({ entry }) => entry.type),
    issue: (title, labels, body = 'Please do it.') => openIssue(stand, at, title, labels, body),
    pulls: () => pullsOf(stand, at),
    leftovers: () => leftoversOf(ports.repository.git, at),
  }
}

/** Clones a stand's repository; what is public there needs no token to be read. */
export async function cloneInto(stand: Stand, at: StandRepository, dir: string, env: NodeJS.ProcessEnv): Promise<Git> {
  const git = openGit(dir, env)
  const url = at.cloneUrl.replace('http://', `http://x-access-token:${stand.token('pilot')}@`)
  await openGit(join(dir, '..'), env).run(['clone', '--quiet', '--', url, dir])
  await git.run(['remote', 'set-url', 'origin', at.cloneUrl])
  return git
}

/** Opens an issue as a person who may write, and returns its number. */
export async function openIssue(stand: Stand, at: StandRepository, title: string, labels: readonly string[], body: string) {
  const made = await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, { title, body, labels })
  return made.number as number
}

/** Returns all pull requests of a repository, oldest first, as the API shows each. */
export async function pullsOf(stand: Stand, at: StandRepository): Promise<Json[]> {
  const listed = await stand.as('owner')('GET', `/repos/${at.fullName}/pulls?state=all&per_page=100&direction=asc`)
  return Promise.all(listed.map(({ number }: Json) => stand.as('owner')('GET', `/repos/${at.fullName}/pulls/${number}`)))
}

/** Returns what is left in a clone and in the repository on the stand. */
export async function leftoversOf(git: Git, at: StandRepository) {
  const refs = async (of: Git) => (await of.text(['for-each-ref', '--format=%(refname)'])).split('\n').filter((ref) => ref !== '')
  const here = (await refs(git)).filter((ref) => !ref.startsWith('refs/remotes/') && !ref.startsWith('refs/valuetrain/evidence/'))
  const worktrees = (await git.text(['worktree', 'list', '--porcelain'])).split('\n\n').length
  return { here, there: await refs(at.git), worktrees }
}
