// Replaces calls of the deprecated `formatCents(x)` in src/ by `formatMoney(x, 'EUR')`, mends the imports, and says so in the
// change log. The deprecated function itself stays for outside callers. A second run changes nothing.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

const KEPT = ['money.ts', 'index.ts']
const NOTE = '- Receipts and comparisons call `formatMoney`; `formatCents` has no caller left in the library.\n'

let replaced = 0
for (const name of readdirSync('src').filter((name) => name.endsWith('.ts') && !KEPT.includes(name))) {
  const file = `src/${name}`
  const before = readFileSync(file, 'utf8')
  const after = replaceCalls(before).replace(/(import \{[^}]*)\bformatCents\b/, '$1formatMoney')
  if (after !== before) writeFileSync(file, after)
}

const log = readFileSync('CHANGELOG.md', 'utf8')
if (replaced > 0 && !log.includes(NOTE))
  writeFileSync('CHANGELOG.md', log.replace('## Unreleased\n\n', `## Unreleased\n\n${NOTE}`))
console.log(`${replaced} calls replaced`)

/** Finds each call's closing bracket by counting, since an argument may hold brackets of its own. */
function replaceCalls(text) {
  let out = ''
  let rest = text
  for (;;) {
    const at = rest.search(/\bformatCents\(/)
    if (at < 0) return out + rest
    const open = at + 'formatCents('.length
    let end = open
    for (let depth = 1; depth > 0; end++) {
      if (end >= rest.length) throw new Error('a call of formatCents is never closed')
      if (rest[end] === '(') depth++
      if (rest[end] === ')') depth--
    }
    out += `${rest.slice(0, at)}formatMoney(${rest.slice(open, end - 1)}, 'EUR')`
    rest = rest.slice(end)
    replaced++
  }
}
