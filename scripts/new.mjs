/**
 * Writes a file to start from: `npm run new -- <kind> <name>`.
 *
 * `decision` and `bench` are kinds of this project; every other kind is one of `valuetrain new`, which knows its own.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [kind = '', ...words] = process.argv.slice(2)
const title = words.join(' ').trim()
const slug = title
  .toLowerCase()
  .replace(/[^a-z0-9]+/g, '-')
  .replace(/^-|-$/g, '')

const KINDS = {
  decision: {
    template: 'docs/decisions/_template.md',
    async file() {
      const names = await readdir(join(root, 'docs/decisions'))
      const last = Math.max(0, ...names.map((name) => Number(/^(\d{4})-/.exec(name)?.[1] ?? 0)))
      return `docs/decisions/${String(last + 1).padStart(4, '0')}-${slug}.md`
    },
    fill: (text, file) => text.replace(/^# .*$/m, `# ${/(\d{4})-/.exec(file)[1]}. ${title}`),
    next: 'fill it in, and name it in the change it belongs to',
  },
  bench: {
    template: 'bench/_template.ts',
    file: async () => `bench/${slug}.ts`,
    fill: (text) => text,
    next: 'add it to the list in bench/index.ts and to docs/benchmarks.md',
  },
}

const known = KINDS[kind]
if (known === undefined) {
  const run = (script, ...args) => spawnSync(process.execPath, [join(root, script), ...args], { stdio: 'inherit' }).status ?? 70
  process.exitCode = run('scripts/ensure-built.mjs') || run('bin/valuetrain.js', 'new', kind, ...words)
} else if (slug === '') {
  console.error(`error: the ${kind} has no name\nhint: npm run new -- ${kind} "some name"`)
  process.exitCode = 2
} else {
  const file = await known.file()
  if (existsSync(join(root, file))) throw new Error(`${file} is there already`)
  await writeFile(join(root, file), known.fill(await readFile(join(root, known.template), 'utf8'), file), { flag: 'wx' })
  console.log(`wrote ${file}\nnext: ${known.next}`)
}
