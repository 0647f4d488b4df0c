#!/usr/bin/env node
// The hooks' program, for a hook that somebody writes by hand: `valuetrain-hook pre-commit`. Installed hooks start a copy of it.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

const built = new URL('../dist/bin/hook.cjs', import.meta.url)

if (existsSync(built)) createRequire(import.meta.url)(built.pathname)
else {
  process.stderr.write('error: valuetrain is not built here\nhint: run `npm run build` in its folder, then this again\n')
  process.exitCode = 3
}
