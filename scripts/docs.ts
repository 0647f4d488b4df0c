/** Writes the generated pages of the documentation: `npm run docs`. Says which of them have changed. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PAGES } from './reference/index.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
for (const { file, render } of PAGES) {
  const path = join(root, file)
  const text = await render()
  if (text === (await readFile(path, 'utf8').catch(() => undefined))) continue
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text)
  console.log(`wrote ${file}`)
}
