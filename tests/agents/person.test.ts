import { readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HAND_OFF_FILE, personRuntime } from '../../agents/index.ts'
import { type Bench, openBench } from './turn.ts'

const person = ({ repo }: Bench) => personRuntime({ env: repo.env })
const handOff = ({ artifacts }: Bench) => join(artifacts, HAND_OFF_FILE)

describe('a person', () => {
  test('is handed the brief, and is told how to go on', async () => {
    const bench = await openBench()
    const { result, events } = await bench.work(person(bench), { brief: '# Mend it\n' })
    expect(result).toMatchInlineSnapshot(`
      {
        "handOff": "read .valuetrain/tickets/build_7/artifacts/hand-off.md in the worktree of build_7
      then go on with \`valuetrain run 7\`, give it back with \`valuetrain ticket release 7\`,
      or end it with \`valuetrain abort 7\`",
        "outcome": "handed-off",
        "reason": "the ticket was handed to a person",
      }
    `)
    expect(events.map(({ type }) => type)).toEqual(['message'])
    const text = await readFile(handOff(bench), 'utf8')
    expect(text.replace(/before: \w{64}/, 'before: <digest>')).toMatchInlineSnapshot(`
      "---
      ticket: build_7
      phase: build
      attempt: 1
      state: waiting
      before: <digest>
      ---

      > Work in this worktree, then run \`valuetrain run 7\` again; it goes on when something has changed.
      > When nothing had to change, set \`state: done\` above.

      # Mend it
      "
    `)
  })

  test('who has changed nothing is waited for, however often one asks', async () => {
    const bench = await openBench()
    await bench.work(person(bench))
    const before = await readFile(handOff(bench), 'utf8')
    for (let again = 0; again < 2; again++) {
      const { result } = await bench.work(person(bench))
      expect(result).toMatchObject({ outcome: 'handed-off', reason: 'the person has not changed anything in the worktree yet' })
    }
    expect(await readFile(handOff(bench), 'utf8')).toBe(before)
  })

  test.each<[string, (bench: Bench) => Promise<unknown>]>([
    ['a changed file', ({ repo }) => repo.write({ 'a.txt': 'b\n' })],
    ['a new file', ({ repo }) => repo.write({ 'ü b.txt': 'b\n' })],
    ['a removed file', ({ repo }) => repo.git.run(['rm', '--quiet', 'a.txt'])],
    ['a commit', ({ repo }) => repo.commit({ 'a.txt': 'b\n' })],
    ['a deliverable', ({ artifacts }) => writeFile(join(artifacts, 'notes.md'), 'Notes\n')],
    [
      'a word in the hand-off',
      async (bench) => {
        const text = await readFile(handOff(bench), 'utf8')
        await writeFile(handOff(bench), text.replace('state: waiting', 'state: done'))
      },
    ],
  ])('completes the turn with %s', async (_, act) => {
    const bench = await openBench()
    await bench.work(person(bench))
    await act(bench)
    expect((await bench.work(person(bench))).result.outcome).toBe('completed')
  })

  test('who changes a file in the second in which it was committed, keeping its size, has changed it', async () => {
    const bench = await openBench()
    const file = join(bench.repo.dir, 'a.txt')
    const index = join(bench.repo.dir, '.git/index')
    const second = new Date(Math.floor((await stat(file)).mtimeMs / 1000) * 1000 - 5000)
    await utimes(file, second, second)
    await bench.repo.git.run(['config', 'core.trustctime', 'false'])
    await bench.repo.git.run(['update-index', '--refresh'])
    await utimes(index, second, second)
    await bench.work(person(bench))
    await writeFile(file, 'b\n')
    await utimes(file, second, second)
    expect((await bench.work(person(bench))).result.outcome).toBe('completed')
  })

  test('is not taken to have worked by what the conductor writes into the ticket meanwhile, nor by ignored files', async () => {
    const bench = await openBench({ 'a.txt': 'a\n', '.gitignore': 'dist/\n' })
    await bench.work(person(bench))
    await bench.repo.commit({ '.valuetrain/tickets/build_7/session-x.md': 'entry\n' })
    await bench.repo.write({ '.valuetrain/issues/8-new.md': 'x\n', 'dist/a.js': 'x\n' })
    expect((await bench.work(person(bench))).result.outcome).toBe('handed-off')
  })

  test('is handed the next attempt anew', async () => {
    const bench = await openBench()
    await bench.work(person(bench))
    await bench.repo.commit({ 'a.txt': 'b\n' })
    const { result } = await bench.work(person(bench), { attempt: 2, brief: '# Again\n' })
    expect(result).toMatchObject({ outcome: 'handed-off', reason: 'the ticket was handed to a person' })
    expect(await readFile(handOff(bench), 'utf8')).toContain('# Again')
  })

  test('keeps what is staged, and stages nothing', async () => {
    const bench = await openBench()
    await bench.repo.write({ 'a.txt': 'staged\n' })
    await bench.repo.git.run(['add', 'a.txt'])
    await bench.repo.write({ 'a.txt': 'worked on\n', 'new.txt': 'new\n' })
    const before = await bench.repo.git.text(['status', '--porcelain', '--', 'a.txt', 'new.txt'])
    await bench.work(person(bench))
    expect(await bench.repo.git.text(['status', '--porcelain', '--', 'a.txt', 'new.txt'])).toBe(before)
  })
})
