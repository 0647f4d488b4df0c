/**
 * Runs the whole numbers of the long suites (`VALUETRAIN_FULL=1`), one test file after another, in parts that end after
 * twenty minutes. What has passed is remembered with the sources it passed on, so that the next call goes on where this one ended;
 * a file that kills a journey at many places goes on at the place where it was stopped.
 *
 *   npm run test:full [-- --fresh] [-- --minutes N] [-- <part of a file name>…]
 *
 * Ends with 0 when every file has passed on these sources, 1 when one failed, 75 when files are left for the next call.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { sourceDigest } from './sources.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const record = join(root, 'node_modules', '.cache', 'valuetrain', 'test-full.json')
const { values, positionals } = parseArgs({
  options: { fresh: { type: 'boolean', default: false }, minutes: { type: 'string', default: '20' } },
  allowPositionals: true,
})

const files = (await readdir(join(root, 'tests'), { recursive: true }))
  .map((name) => `tests/${name.replaceAll('\\', '/')}`)
  .filter((name) => name.endsWith('.test.ts') && !name.startsWith('tests/live/'))
  .filter((name) => positionals.length === 0 || positionals.some((part) => name.includes(part)))
  .sort()
const state = await digestOfTests()
if (values.fresh) await rm(join(dirname(record), 'places'), { recursive: true, force: true })
const known = values.fresh ? {} : await readFile(record, 'utf8').then(JSON.parse, () => ({}))
const passed = new Map(known.state === state ? Object.entries(known.passed) : [])

const until = Date.now() + Number(values.minutes) * 60_000
let failed = 0
let left = 0
for (const file of files) {
  if (passed.has(file)) continue
  if (Date.now() >= until) {
    left++
    continue
  }
  console.log(`== ${file}`)
  const { status } = spawnSync(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', file], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, VALUETRAIN_FULL: '1' },
    timeout: Math.max(60_000, until - Date.now()),
    killSignal: 'SIGTERM',
  })
  if (status === 0) {
    passed.set(file, new Date().toISOString())
    await mkdir(dirname(record), { recursive: true })
    await writeFile(record, JSON.stringify({ state, commit: commit(), passed: Object.fromEntries(passed) }, undefined, 2))
  } else if (status === null) left++
  else failed++
}

console.log(`${files.length} files: ${files.filter((file) => passed.has(file)).length} passed, ${failed} failed, ${left} left`)
if (left > 0 && failed === 0) console.log('run `npm run test:full` again for what is left')
process.exitCode = failed > 0 ? 1 : left > 0 ? 75 : 0

/** Returns a digest over sources and tests: a file that passed counts only while neither has changed. */
async function digestOfTests() {
  const hash = createHash('sha256').update(await sourceDigest(root))
  for (const entry of (await readdir(join(root, 'tests'), { withFileTypes: true, recursive: true })).sort(byPath)) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    hash.update(`${path.slice(root.length)}\0`).update(await readFile(path))
  }
  return hash.digest('hex')
}

function byPath(a, b) {
  return join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1
}

function commit() {
  return spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim() || 'unknown'
}
