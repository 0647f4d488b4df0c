import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** Set by scripts that count results: a file to write them to as JSON, besides what is printed. */
const report = process.env.VALUETRAIN_TEST_REPORT
const isLive = process.env.VALUETRAIN_LIVE === '1'

const root = fileURLToPath(new URL('.', import.meta.url))
const files = readdirSync(join(root, 'tests'), { recursive: true })
  .map((name) => `tests/${String(name).replaceAll('\\', '/')}`)
  .filter((file) => file.endsWith('.test.ts') && (isLive || !file.startsWith('tests/live/')))

/** Folders whose files start few processes if any, and words of files elsewhere that start some, by themselves or by what they call. */
const CALM = /^tests\/(docs|modes|sessions)\//
const STARTS =
  /makeRepository|openBench|makeLine|standLine|openTerminal|execFile|spawn|hooked|portsFor|openGit|ownStand|program|worker|place\.ts/i
const calm = files.filter((file) => CALM.test(file) || !STARTS.test(readFileSync(join(root, file), 'utf8')))
/**
 * Ends what hangs; it measures nothing. A journey of hundreds of processes that takes ten seconds alone takes minutes on a machine
 * that does five other things.
 */
const limits = { testTimeout: 240_000, hookTimeout: 240_000 }

/**
 * Files that only compute share a process, which has then loaded everything once. One that starts others has its own: the system
 * copies its tables for each process it starts, so that in one that has grown by many files every call of git costs twice as much.
 * No test changes anything of the process it runs in, so neither sees the other.
 */
export default defineConfig({
  test: {
    // One more than the cores that a small machine has: journeys wait for processes, leases and limits a third of their time.
    maxWorkers: 3,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    projects: [
      { test: { ...limits, name: 'computes', include: calm, isolate: false } },
      { test: { ...limits, name: 'starts others', include: files.filter((file) => !calm.includes(file)) } },
    ],
  },
})
