import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RULES } from '../../bin/display/rules.ts'
import { ofSession } from '../../conductor/check/rules.ts'
import { ROOT, readSources } from '../support/sources.ts'

describe('the rules of a check', () => {
  it('are in the page as the reports have them, each with an example', async () => {
    const page = await readFile(join(ROOT, 'docs/check.md'), 'utf8')
    const rows = [...page.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
    expect(Object.fromEntries(rows.map(([, rule, , says]) => [rule, says]))).toEqual(RULES)
    for (const [, rule, severity, , example] of rows) {
      expect([rule, /error|warning|notice/.test(severity ?? ''), (example ?? '').length > 5]).toEqual([rule, true, true])
    }
  })

  it('are all that the sources name', async () => {
    const sources = await readSources(['conductor/check', 'gates', 'sessions', 'core'], (path) => {
      return path.endsWith('.ts') && (!path.startsWith('core/') || path === 'core/privacy.ts')
    })
    const named = new Set<string>()
    for (const [file, text] of sources) {
      const pattern = /rule: (?:[^'\n?]+\? )?'([a-z-]+)'(?: : '([a-z-]+)')?|(?:finding|say|collect)\((?:entry, )?'([a-z-]+)'/g
      for (const [, ...groups] of text.matchAll(pattern)) {
        for (const rule of groups.filter((one) => one !== undefined)) {
          named.add(file.startsWith('sessions/') ? ofSession({ rule, severity: 'error', message: '' }).rule : rule)
        }
      }
    }
    // Told under the rule of the check that comes of them.
    for (const renamed of ['delivered-changed', 'empty']) named.delete(renamed)
    expect([...named].filter((rule) => RULES[rule] === undefined)).toEqual([])
    expect(named.size).toBeGreaterThan(25)
  })
})
