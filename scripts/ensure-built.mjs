/** Builds `dist/` when it is missing or not made from the present sources; otherwise says nothing and ends. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { STAMP, sourceDigest } from './sources.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = (await readFile(join(root, 'dist', STAMP), 'utf8').catch(() => '')).trim()
if (stamp !== (await sourceDigest(root))) {
  const { build } = await import('./build.mjs')
  if (!(await build({ despiteErrors: process.argv.includes('--despite-errors') }))) process.exitCode = 1
}
