// Replaces the body of `roundHalfEven` by a single `Math.round`, as issue 3 asks. A second run changes nothing.

import { readFileSync, writeFileSync } from 'node:fs'

const file = 'src/money.ts'
const before = readFileSync(file, 'utf8')
const after = before.replace(
  /(export function roundHalfEven\(value: number\): Cents \{\n)[\s\S]*?\n\}/,
  '$1  return Math.round(value)\n}',
)
if (after !== before) writeFileSync(file, after)
console.log(after === before ? 'nothing to simplify' : 'roundHalfEven is one line now')
