/**
 * A3: what watching costs of the forge's hourly limit while nothing happens: tickets are worked until their pull requests
 * wait for a person, then a drive that stays looks at them at the interval of the default configuration, and the forge counts.
 * An answer that says "not modified" does not count, there as on GitHub.
 *
 * An hour is not waited for. The looks of the window are all alike, so their mean is told for an hour; what the first
 * looks of a new process cost is a row of its own and falls due once. `--full` has 50 tickets and
 * ten minutes, the quick numbers 8 tickets and one.
 */
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { defaultConfig } from '../core/config.ts'
import { openStand } from '../tests/support/github/index.ts'
import { cloneStage, quietEnvironment, startDrive } from './github-stage.ts'
import { type Benchmark, cpuSoFar, type Row } from './measure.ts'

/** Looks that are not measured: the first learns what is new, the second asks once more for what the first has changed. */
const WARM_LOOKS = 2

const bench: Benchmark = async ({ full, env, root, note }) => {
  const [tickets, windowMs] = full ? [50, 600_000] : [8, 60_000]
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-bench-')))
  const stand = await openStand()
  try {
    await mkdir(join(outside, 'home'))
    const quiet = quietEnvironment(env, join(outside, 'home'))
    const at = await stand.repository('idle', { 'README.md': '# Idle\n', '.valuetrain/config.yaml': CONFIG })
    const stage = await cloneStage(stand, at, join(outside, 'clone'), quiet)
    for (let issue = 0; issue < tickets; issue++) await stage.issue(`Issue ${issue}`, ['auto', 'recipe:work'])
    const making = startDrive(root, stage, ['--once', '--parallel', '2', '--merge', 'person'])
    await making.ended()
    const pulls = await stand.as('owner')('GET', `/repos/${at.fullName}/pulls?state=open&per_page=100`)
    if (pulls.length !== tickets)
      throw new Error(`${pulls.length} of ${tickets} pull requests are open: ${making.said().slice(-2000)}`)
    note(`${tickets} pull requests wait; load ${loadavg()[0]?.toFixed(1)}`)

    // The making may have come near the hour's limit, and a limit that is reached would make the drive ask less.
    stand.setBudget(5_000)
    const began = stand.journal.length
    const driving = startDrive(root, stage, ['--merge', 'person'])
    const looksSince = (from: number) =>
      stand.journal.slice(from).filter(({ method, path }) => method === 'GET' && path === `/repos/${at.fullName}/issues`).length
    while (looksSince(began) <= WARM_LOOKS) {
      if (driving.child.exitCode !== null) throw new Error(`the drive has ended: ${driving.said().slice(-2000)}`)
      await delay(100)
    }
    const from = stand.journal.length
    const before = await cpuSoFar(driving.child.pid ?? 0)
    const clock = performance.now()
    await delay(windowMs)
    const hours = (performance.now() - clock) / 3_600_000
    const after = await cpuSoFar(driving.child.pid ?? 0)
    const to = stand.journal.length
    await driving.stop()
    const window = stand.journal.slice(from, to)
    const counted = window.filter((request) => request.counted)
    for (const [what, times] of tally(
      counted.map(({ method, path }) => `${method} ${path.replaceAll(/[0-9a-f]{40}|\d+/g, 'N')}`),
    ))
      note(`counted ${times} times: ${what}`)
    const looks = looksSince(from) - looksSince(to)
    const mostLooks = 3_600_000 / defaultConfig().drive.pollMs
    const row = (name: string, value: number, unit: string, goal?: string): Row => ({
      name,
      value: Math.round(value * 100) / 100,
      unit,
      rounds: looks,
      ...(goal === undefined ? {} : { goal }),
    })
    return [
      row('tickets that wait', tickets, 'tickets'),
      row('looks in the window', looks, 'looks'),
      row(
        'counted requests of the first looks',
        stand.journal.slice(began, from).filter((request) => request.counted).length,
        'requests',
      ),
      row('counted requests an hour, at the pace of the window', counted.length / hours, 'requests an hour', 'at most 300'),
      row('the same if a look took no time', (counted.length / looks) * mostLooks, 'requests an hour', 'at most 300'),
      row('answered "not modified", an hour', (window.length - counted.length) / hours, 'requests an hour'),
      row(
        'CPU of the drive, an hour',
        (after.own + after.children - before.own - before.children) / 1_000 / hours,
        's CPU an hour',
      ),
    ]
  } finally {
    await stand.close()
    await rm(outside, { recursive: true, force: true, maxRetries: 5 })
  }
}
export default bench

function tally(texts: readonly string[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const text of texts) times.set(text, (times.get(text) ?? 0) + 1)
  return times
}

/** The interval is that of the default configuration. */
const CONFIG = `version: 1
forge: github
remote: origin
jail: off
commands: { test: [git, --version] }
recipes:
  work: [[sh, -c, 'echo work > "work-$$.txt"']]
github: { writeEveryMs: 0 }
`
