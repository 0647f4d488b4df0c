#!/usr/bin/env node
// The shim: answers what needs no code of ours, then loads the built command line.
import { existsSync, readFileSync } from 'node:fs'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const argv = process.argv.slice(2)
const built = new URL('../dist/bin/main.js', import.meta.url)
const only = (...words) => argv.length === 1 && words.includes(argv[0])

if (only('--version', '-v')) {
  process.stdout.write(`valuetrain ${version}\n`)
} else if (existsSync(built) && (argv.length === 0 || only('--help', '-h', 'help'))) {
  // What `main` would answer, without the third of a start that it costs to load.
  const { overview } = await import(new URL('overview.js', built).href)
  process.stdout.write(overview(version))
} else if (existsSync(built)) {
  const { main } = await import(built.href)
  await main(argv, version)
} else {
  process.stderr.write('error: valuetrain is not built here\nhint: run `npm run build` in its folder, then this again\n')
  process.exitCode = 3
}
