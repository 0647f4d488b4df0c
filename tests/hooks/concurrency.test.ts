import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { TestRepository } from '../support/repository.ts'
import { git, KEY, makeHooked, recordsIn } from './hooked.ts'
import { sessionFile } from './session-file.ts'

const FULL = process.env.VALUETRAIN_FULL === '1'
const KILLS = FULL ? 1000 : 12
const SEED = Number(process.env.VALUETRAIN_SEED ?? 20_260_101)

describe('hooks at the same time', () => {
  it('judge 8 commits in 8 worktrees, during a gc, each by its own index', async () => {
    const repository = await makeHooked()
    const trees = Array.from({ length: 8 }, (_, at) => join(repository.outside, `tree-${at}`))
    for (const [at, tree] of trees.entries())
      await git(repository, repository.dir, ['worktree', 'add', '-q', '-b', `b${at}`, tree])
    const isBad = (at: number) => at % 2 === 1
    const commits = trees.map(async (tree, at) => {
      await writeFile(join(tree, 'a.txt'), isBad(at) ? `token = ${KEY}\n` : `harmless ${at}\n`)
      await git(repository, tree, ['add', 'a.txt'])
      return git(repository, tree, ['commit', '-qm', `Change ${at}`])
    })
    const [said, gc] = await Promise.all([Promise.all(commits), git(repository, repository.dir, ['gc', '-q'])])
    expect([said.map(({ code }) => code), gc.code]).toEqual([[0, 1, 0, 1, 0, 1, 0, 1], 0])
    expect(await Promise.all(trees.map((tree) => recordsIn(repository, tree)))).toEqual(trees.map(() => []))
  })
})

describe('killing a commit in its hooks', () => {
  it(`loses nothing that is staged, unstaged or untracked, ${KILLS} times (seed ${SEED})`, { timeout: 1_200_000 }, async () => {
    const repository = await makeHooked({ 'partly.txt': 'one\ntwo\nthree\n', 'plain.txt': 'plain\n' })
    await git(repository, repository.dir, ['checkout', '-q', '-b', 'phase/build_1'])
    const random = randomFrom(SEED)
    let killed = 0
    for (let round = 0; round < KILLS; round++) {
      await repository.write({
        'partly.txt': `one ${round}\ntwo\nthree\n`,
        [sessionFile(1).path]: sessionFile(round + 1).text,
      })
      await git(repository, repository.dir, ['add', '--', 'partly.txt', '.valuetrain'])
      await repository.write({ 'partly.txt': `one ${round}\ntwo\nthree, not staged ${round}\n`, 'untracked.txt': `${round}\n` })
      const before = await stateOf(repository)
      if (await commitAndKill(repository, random() * 180)) killed++
      // git's own lock is all that a killed commit may leave; a person removes it.
      await git(repository, repository.dir, [
        '-c',
        'alias.unlock=!rm -f .git/index.lock .git/HEAD.lock .git/refs/heads/phase/build_1.lock',
        'unlock',
      ])
      const after = await stateOf(repository)
      expect(after).toEqual(before)
    }
    expect(killed).toBeGreaterThan(0)
  })
})

/** What must survive: the staged tree, and every file of the working tree. */
async function stateOf(repository: TestRepository): Promise<Record<string, string>> {
  const { dir } = repository
  const files = ['partly.txt', 'plain.txt', 'untracked.txt', sessionFile(1).path]
  const contents = await Promise.all(files.map(async (file) => [file, await readFile(join(dir, file), 'utf8')] as const))
  return { ...Object.fromEntries(contents), index: (await git(repository, dir, ['ls-files', '--stage'])).stdout }
}

/** Starts a commit in a group of its own and ends the whole group; tells whether it was still running. */
async function commitAndKill(repository: TestRepository, ms: number): Promise<boolean> {
  const child = spawn('git', ['commit', '-qm', 'Change'], {
    cwd: repository.dir,
    env: repository.env,
    detached: true,
    stdio: 'ignore',
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await delay(ms)
  const isRunning = child.exitCode === null
  try {
    process.kill(-(child.pid as number), 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
  await ended
  return isRunning
}

/** Numbers in [0, 1) that depend on the seed alone. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
