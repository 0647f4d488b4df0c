/**
 * Runs everything a change has to pass, one step after another, and ends with one line a step.
 *
 *   npm run check [-- --skip test]
 *
 * Docs freshness, import loops and the layer table are tests and so part of `test`.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

/** Not in the lock file: its platform packages are missing from partial mirrors, and the next `npm ci` would fail. */
const KNIP = 'knip@6.44.2'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name, script) => [process.execPath, join(root, 'node_modules', name, script)]
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'

const STEPS = [
  { name: 'types', argv: [...bin('typescript', 'bin/tsc'), '--noEmit'] },
  { name: 'lint', argv: [...bin('@biomejs/biome', 'bin/biome'), 'check', '.'] },
  { name: 'build', argv: [process.execPath, join(root, 'scripts/build.mjs')] },
  { name: 'test', argv: [npm, 'test'] },
  // Not --strict: the example's own package.json is matter, and a warning about it is no fault of the package.
  { name: 'package', argv: bin('publint', 'src/cli.js') },
  { name: 'unused', argv: ['npx', '--yes', KNIP, '--no-progress'], needs: ['npx', '--yes', KNIP, '--version'] },
]

const skipped = new Set(process.argv.flatMap((word, index, all) => (all[index - 1] === '--skip' ? word.split(',') : [])))
const results = []
for (const { name, argv, needs } of STEPS) {
  if (skipped.has(name)) {
    results.push({ name, outcome: 'skipped' })
    continue
  }
  if (needs !== undefined && run(needs, 'ignore') !== 0) {
    results.push({ name, outcome: `not run: \`${needs.join(' ')}\` does not work here` })
    continue
  }
  console.log(`\n== ${name}`)
  const started = performance.now()
  const outcome = run(argv, 'inherit') === 0 ? 'passed' : 'failed'
  results.push({ name, outcome, seconds: ((performance.now() - started) / 1000).toFixed(1) })
}

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
console.log(`\ncheck of valuetrain ${version}`)
for (const { name, outcome, seconds } of results) {
  console.log(`  ${name.padEnd(8)} ${outcome}${seconds === undefined ? '' : ` in ${seconds} s`}`)
}
if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1

function run([program, ...args], output) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: ['ignore', output, output] })
  return error ? 127 : (status ?? 1)
}
