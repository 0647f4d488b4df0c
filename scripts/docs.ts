/**
 * Writes the generated pages of the documentation and says which of them have changed.
 *
 *   npm run docs [-- --journey]
 *
 * With `--journey` the first journey is run, too, and its output put into the README.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { PAGES } from './reference/index.ts'
import { runJourney, withJourney } from './reference/journey.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
for (const { file, render } of PAGES) await write(file, await render())
if (process.argv.includes('--journey')) {
  await write('README.md', withJourney(await readFile(join(root, 'README.md'), 'utf8'), await runJourney()))
}

async function write(file: string, text: string): Promise<void> {
  const path = join(root, file)
  if (text === (await readFile(path, 'utf8').catch(() => undefined))) return
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  console.log(`wrote ${file}`)
}
