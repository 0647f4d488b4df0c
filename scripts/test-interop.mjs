/**
 * Runs the checks against other programs: exports read by onnxruntime-node and TensorFlow.js, and the tfjs backend held
 * to the oracle. They are installed into a folder of their own, so that `npm ci` carries none of them.
 *
 *   npm run test:interop [-- --folder DIR]
 *
 * Ends with 3 when they cannot be installed here.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const PACKAGES = ['@tensorflow/tfjs@4.22.0', 'onnxruntime-node@1.30.0']
const FILES = ['tests/training/export.test.ts', 'tests/training/backends.test.ts']

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({ options: { folder: { type: 'string' } } })
const folder = values.folder ?? join(root, 'node_modules', '.cache', 'valuetrain', 'interop')
await mkdir(folder, { recursive: true })
if (!existsSync(join(folder, 'package.json'))) await writeFile(join(folder, 'package.json'), '{"private":true}\n')

// Without install scripts: one of them would download a graphics card's libraries, which nothing here needs.
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
const install = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--save-exact', '--', ...PACKAGES]
const installed = spawnSync(npm, install, { cwd: folder, stdio: 'inherit' })
if (installed.status !== 0) {
  console.error(`${PACKAGES.join(' and ')} cannot be installed here; nothing was checked`)
  process.exit(3)
}
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--maxWorkers=1', ...FILES],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, VALUETRAIN_INTEROP: folder, VALUETRAIN_TFJS: folder },
  },
)
process.exit(status ?? 1)
