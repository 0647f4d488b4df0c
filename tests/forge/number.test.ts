import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { takeNumber } from '../../forge/index.ts'
import { programOf } from '../support/program.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

const execute = promisify(execFile)
const program = programOf(join(import.meta.dirname, 'open-issue.ts'))
const ids = systemIds(systemClock)

async function openElsewhere({ env }: TestRepository, dir: string, title: string, ...remote: string[]): Promise<number> {
  const { stdout } = await execute(process.execPath, [await program(), dir, title, ...remote], { env })
  return Number(stdout)
}

const ordered = (numbers: number[]) => numbers.sort((a, b) => a - b)

describe('issue numbers', () => {
  test('eight processes that open issues at once get eight numbers and eight files', async () => {
    const repo = await makeRepository()
    const numbers = await Promise.all(Array.from({ length: 8 }, (_, at) => openElsewhere(repo, repo.dir, `Issue ${at}`)))
    expect(new Set(numbers).size).toBe(8)
    const files = await repo.git.text(['status', '--porcelain', '--untracked-files=all'])
    expect(files.split('\n').map((line) => Number(/issues\/(\d+)-issue-\d\.md$/.exec(line)?.[1]))).toEqual(
      [...numbers].sort((a, b) => (String(a) < String(b) ? -1 : 1)),
    )
  })

  test('many takers in one process never share one, and without a race none is left out', async () => {
    const { git } = await makeRepository()
    const source = { git, config: { branch: 'main', remote: null }, ids, names: [] }
    const raced = await Promise.all(Array.from({ length: 24 }, () => takeNumber(source)))
    expect(new Set(raced).size).toBe(24)
    const next = Math.max(...raced) + 1
    expect([await takeNumber(source), await takeNumber(source)]).toEqual([next, next + 1])
  })

  test('two clones that take numbers through one remote never get the same', async () => {
    const repo = await makeRepository()
    await repo.git.run(['clone', '--quiet', '--bare', '.', '../origin.git'])
    const clones = ['one', 'two', 'three']
    for (const name of clones) await repo.git.run(['clone', '--quiet', '../origin.git', `../${name}`])
    const sources = clones.map((name) => {
      return { git: repo.git.at(join(repo.outside, name)), config: { branch: 'main', remote: 'origin' }, ids, names: [] }
    })
    const rounds: number[] = []
    for (let round = 0; round < 3; round++) rounds.push(...(await Promise.all(sources.map(takeNumber))))
    expect(new Set(rounds).size).toBe(9)
    const refs = await repo.git
      .at(join(repo.outside, 'origin.git'))
      .text(['for-each-ref', '--format=%(refname:lstrip=3)', 'refs/valuetrain'])
    expect(ordered(refs.split('\n').map(Number))).toEqual(ordered(rounds))
  })

  test('a remote that does not answer is an error, and the number is given back', async () => {
    const { git } = await makeRepository()
    await git.run(['remote', 'add', 'origin', '../nowhere.git'])
    const source = { git, config: { branch: 'main', remote: 'origin' }, ids, names: [] }
    await expect(takeNumber(source)).rejects.toMatchObject({ code: 'VT_REMOTE', kind: 'environment' })
    expect(await git.text(['for-each-ref', 'refs/valuetrain'])).toBe('')
  })

  test('a ref that cannot be made is an error at once, not a search for another number', async () => {
    const { git } = await makeRepository()
    await git.run(['update-ref', 'refs/valuetrain', 'HEAD'])
    const source = { git, config: { branch: 'main', remote: null }, ids, names: [] }
    await expect(takeNumber(source)).rejects.toMatchObject({ code: 'VT_READ_ONLY' })
  })
})
