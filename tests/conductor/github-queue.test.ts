import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { listLeases } from '../../core/lease.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { programOf } from '../support/program.ts'
import { CONFIG, cloneLine, standLine } from './stand-line.ts'

const program = programOf(fileURLToPath(new URL('./stand-worker.ts', import.meta.url)))
const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 1)
const COUNT = Number(process.env.VALUETRAIN_ISSUES ?? (FULL ? 50 : 3))
const LONG = { timeout: 14_400_000 }
const FILES = {
  'value.txt': 'right',
  'notes.txt': 'begin\n',
  '.valuetrain/scripted.yaml': 'turns:\n  - steps: [{ do: write, path: "work-{issue}.txt", content: "done\\n" }]\n',
}

let stand: Stand

ownStand((opened) => {
  stand = opened
})

async function work(dir: string, env: NodeJS.ProcessEnv, ...args: string[]): Promise<string[]> {
  const file = await program()
  return new Promise((resolve) => {
    execFile(process.execPath, [file, dir, stand.token('pilot'), ...args], { env, maxBuffer: 1e8 }, (_, stdout) =>
      resolve(stdout.trim().split('\n')),
    )
  })
}

describe(`a queue on a forge of another machine (seed ${SEED})`, () => {
  it.runIf(FULL || SEED % 8 === 4)(
    `makes ${COUNT} issues ${COUNT} gated pull requests, none lost, none twice, and leaves nothing`,
    LONG,
    async () => {
      const line = await standLine(stand, 'queue', FILES)
      const numbers: number[] = []
      for (let at = 0; at < COUNT; at++) numbers.push(await line.issue(`Issue ${at}`, ['auto', 'agent:scripted']))
      const made = await drive(line.ports, { once: true, merge: 'person' })
      expect(made.issues.map(({ issue, outcome }) => [issue, outcome])).toEqual(numbers.map((number) => [number, 'waiting']))
      const pulls = await line.pulls()
      const byBranch = pulls.map(({ head, draft, state }) => [head.ref, draft, state])
      expect(byBranch.toSorted()).toEqual(numbers.map((number) => [`phase/build_${number}`, false, 'open']).toSorted())
      for (const { head } of pulls) {
        const statuses = line.at.statuses(head.sha)
        expect(statuses.find(({ context }) => context === 'valuetrain')?.state).toBe('success')
        expect(statuses.filter(({ state }) => state !== 'success')).toEqual([])
      }
      for (const { number } of pulls) await stand.as('owner')('PUT', `/repos/${line.at.fullName}/pulls/${number}/merge`, {})
      const arrived = await drive(line.ports, { once: true, merge: 'person' })
      expect(arrived.issues.map(({ outcome }) => outcome)).toEqual(numbers.map(() => 'done'))
      expect(await line.leftovers()).toEqual({ here: ['refs/heads/main'], there: ['refs/heads/main'], worktrees: 1 })
      expect(await listLeases(line.ports.repository, { remote: 'origin' })).toEqual([])
      const files = (await line.at.git.text(['ls-tree', '--name-only', 'main'])).split('\n')
      expect(files.filter((name) => name.startsWith('work-'))).toHaveLength(COUNT)
    },
  )

  it.runIf(FULL)('is shared by two drivers on two clones with nothing done twice', LONG, async () => {
    const line = await standLine(stand, 'shared', FILES)
    const other = await cloneLine(stand, line.at)
    const count = Math.min(COUNT, 8)
    for (let at = 0; at < count; at++) await line.issue(`Issue ${at}`, ['auto', 'agent:scripted'])
    const both = await Promise.all([line, other].map(({ dir, env }) => work(dir, env, 'queue', 'person')))
    const opened = both.flat().filter((text) => text.endsWith(' TICKET_OPENED'))
    expect([opened.length, new Set(opened).size]).toEqual([count, count])
    const pulls = await line.pulls()
    expect(pulls.map(({ draft, state }) => [draft, state])).toEqual(Array.from({ length: count }, () => [false, 'open']))
  })

  it.runIf(FULL || SEED % 8 === 5)('keeps new issues back while reviewers have as many open as they may', LONG, async () => {
    const config = `${CONFIG}delivery:\n  reviewers: [rita]\n  openPerReviewer: 1\n`
    const line = await standLine(stand, 'limit', FILES, config)
    const [first, second] = [
      await line.issue('One', ['auto', 'agent:scripted']),
      await line.issue('Two', ['auto', 'agent:scripted']),
    ]
    const { issues, passed } = await drive(line.ports, { once: true, merge: 'person' })
    expect(issues.map(({ issue }) => issue)).toEqual([first])
    expect(passed.find(({ number }) => number === second)?.why).toBe('review limit: 1 of 1 pull requests are open')
  })
})
