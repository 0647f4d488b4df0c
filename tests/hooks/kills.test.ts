import { spawn } from 'node:child_process'
import { copyFile, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { TestRepository } from '../support/repository.ts'
import { git, makeHooked } from './hooked.ts'
import { sessionFile } from './session-file.ts'

/** `VALUETRAIN_FULL=1` kills a thousand commits, in parts that each have a repository and a seed of their own. */
const FULL = process.env.VALUETRAIN_FULL === '1'
const SEED = Number(process.env.VALUETRAIN_SEED ?? 20_260_101)
const PARTS = FULL ? 10 : 1
const KILLS = FULL ? 100 : 8

/** Ways to commit, each with what it adds to the index on its own. */
const COMMITS: Record<string, { args: string[]; adds: string[] }> = {
  'what is staged': { args: [], adds: [] },
  'all that is tracked': { args: ['--all'], adds: ['--update', '.'] },
  'one path': { args: ['--', 'plain.txt'], adds: ['--', 'plain.txt'] },
}

/** What is killed: everything at once, as a closed terminal does; git, whose hooks run on; or one process below it. */
const VICTIMS = ['group', 'git', 'descendant'] as const
type Victim = (typeof VICTIMS)[number]

describe('killing a commit in its hooks', () => {
  for (let part = 0; part < PARTS; part++) {
    const seed = SEED + part
    it(`loses nothing that is staged, unstaged or untracked, ${KILLS} times (seed ${seed})`, { timeout: 1_200_000 }, async () => {
      const counts = await killCommits(seed, KILLS)
      // A kill that never hits a running commit would show nothing.
      expect(counts.hit).toBeGreaterThan(KILLS / 4)
      if (FULL) console.log(JSON.stringify({ seed, ...counts }))
    })
  }
})

/** A working tree, its own git directory, and the branch it is on. */
interface Place {
  dir: string
  own: string
  branch: string
}

async function killCommits(seed: number, rounds: number): Promise<{ rounds: number; hit: number; committed: number }> {
  const random = randomFrom(seed)
  const one = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const repository = await makeHooked({ 'partly.txt': 'one\ntwo\nthree\n', 'plain.txt': 'plain\n', 'kept.txt': 'kept\n' })
  await git(repository, repository.dir, ['checkout', '-q', '-b', 'phase/build_1'])
  const linked = join(repository.outside, 'linked')
  await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', 'other', linked])
  const places: Place[] = [
    { dir: repository.dir, own: join(repository.dir, '.git'), branch: 'phase/build_1' },
    { dir: linked, own: join(repository.dir, '.git/worktrees/linked'), branch: 'other' },
  ]
  const counts = { rounds, hit: 0, committed: 0 }
  let wholeMs = 150
  for (let round = 0; round < rounds; round++) {
    const place = one(places)
    const { dir } = place
    const [how, { args, adds }] = one(Object.entries(COMMITS))
    const victim = one(VICTIMS)
    await workOn(repository, dir, round)
    const before = await stateOf(repository, dir)
    const wanted = how === 'what is staged' ? before.index : await indexWith(repository, place, adds)
    const said = `round ${round}: ${how}, ${victim}`

    const was = await commitAndKill(repository, dir, args, victim, random() * 1.1 * wholeMs)
    if (was === 'running') counts.hit++
    await unlock(repository, place)
    const after = await stateOf(repository, dir)
    expect({ said, files: after.files }).toEqual({ said, files: before.files })
    if (after.head === before.head) {
      expect({ said, index: [before.index, wanted] }).toEqual({ said, index: expect.arrayContaining([after.index]) })
    } else {
      counts.committed++
      const parent = (await git(repository, dir, ['rev-parse', 'HEAD^'])).stdout.trim()
      expect({ said, parent, commits: after.commits }).toEqual({ said, parent: before.head, commits: before.commits + 1 })
    }

    // Whatever was killed leaves nothing in the way: the same commit, made again, goes through its hooks.
    const began = performance.now()
    const again = await git(repository, dir, ['commit', '-qm', 'Change', '--allow-empty', ...args])
    wholeMs = performance.now() - began
    expect({ said, code: again.code, stderr: again.stderr }).toEqual({ said, code: 0, stderr: '' })
    expect({ said, files: (await stateOf(repository, dir)).files }).toEqual({ said, files: before.files })
  }
  const fsck = await git(repository, repository.dir, ['fsck', '--full', '--no-dangling', '--no-progress'])
  expect([fsck.code, fsck.stdout]).toEqual([0, ''])
  return counts
}

/** Leaves work of every kind: staged, partly staged, unstaged, deleted and not staged, untracked, and a session. */
async function workOn(repository: TestRepository, place: string, round: number): Promise<void> {
  const at = (files: Record<string, string>) =>
    repository.write(
      Object.fromEntries(
        Object.entries(files).map(([file, text]) => [join('..', place.slice(repository.outside.length + 1), file), text]),
      ),
    )
  const session = place === repository.dir ? [sessionFile(round + 1)] : []
  await at({ 'partly.txt': `one ${round}\ntwo\nthree\n`, 'new.txt': `staged ${round}\n` })
  await at(Object.fromEntries(session.map(({ path, text }) => [path, text])))
  await git(repository, place, ['add', '--', 'partly.txt', 'new.txt', ...session.map(({ path }) => path)])
  await at({ 'partly.txt': `one ${round}\ntwo\nthree, not staged ${round}\n`, 'plain.txt': `unstaged ${round}\n` })
  await at({ [`untracked ${round % 5}.txt`]: `${round}\n`, 'kept.txt': `kept ${round}\n` })
  if (round % 2 === 1) await rm(join(place, 'kept.txt'))
}

interface State {
  /** Every file of the working tree by its path. */
  files: Record<string, string>
  index: string
  head: string
  commits: number
}

async function stateOf(repository: TestRepository, place: string): Promise<State> {
  const found = await readdir(place, { recursive: true, withFileTypes: true })
  const paths = found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(place.length + 1))
    .filter((path) => path !== '.git' && !path.startsWith('.git/'))
  const files = await Promise.all(paths.sort().map(async (path) => [path, await readFile(join(place, path), 'latin1')] as const))
  const [index, log] = await Promise.all([
    git(repository, place, ['ls-files', '--stage']),
    git(repository, place, ['rev-list', 'HEAD']),
  ])
  const commits = log.stdout.trim().split('\n')
  return { files: Object.fromEntries(files), index: index.stdout.trim(), head: commits[0] as string, commits: commits.length }
}

/** Returns what the index holds when the paths are added to it, from a copy of it. */
async function indexWith(repository: TestRepository, { dir, own }: Place, adds: readonly string[]): Promise<string> {
  const env = { GIT_INDEX_FILE: join(repository.outside, 'index-copy') }
  await copyFile(join(own, 'index'), env.GIT_INDEX_FILE)
  await git(repository, dir, ['add', ...adds], env)
  return (await git(repository, dir, ['ls-files', '--stage'], env)).stdout.trim()
}

/** git's own locks are all that a killed commit may leave in the way; a person removes them, as git says. */
async function unlock(repository: TestRepository, { own, branch }: Place): Promise<void> {
  for (const lock of ['index.lock', 'HEAD.lock']) await rm(join(own, lock), { force: true })
  for (const name of await readdir(own)) if (/^next-index-.*\.lock$/.test(name)) await rm(join(own, name))
  await rm(join(repository.dir, '.git/refs/heads', `${branch}.lock`), { force: true })
}

/** Starts a commit in a group of its own, kills some of it, and waits until none of it is left. */
async function commitAndKill(
  { env }: TestRepository,
  cwd: string,
  args: readonly string[],
  victim: Victim,
  ms: number,
): Promise<'running' | 'ended'> {
  const child = spawn('git', ['commit', '-qm', 'Change', ...args], { cwd, env, detached: true, stdio: 'ignore' })
  const group = child.pid as number
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await delay(ms)
  const was = child.exitCode === null ? 'running' : 'ended'
  const below = victim === 'descendant' ? (await membersOf(group)).filter((pid) => pid !== group) : []
  signal(victim === 'group' ? -group : (below[Math.floor(below.length / 2)] ?? group))
  await ended
  while (isAlive(-group)) await delay(5)
  return was
}

async function membersOf(group: number): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')))
  return pids.flatMap((pid, at) =>
    stats[at]?.slice(stats[at].lastIndexOf(')') + 2).split(' ')[2] === String(group) ? [Number(pid)] : [],
  )
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Numbers in [0, 1) that depend on the seed alone. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
