import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ChecklistItem, isDone, parseChecklist, renderChecklist } from '../../modes/index.ts'

const subject = 'a'.repeat(40)
const item = (more: Partial<ChecklistItem> = {}): ChecklistItem => ({
  id: 'tests',
  phase: 'build',
  text: 'The tests pass',
  required: true,
  evidence: { kind: 'command', command: 'test' },
  ticks: [],
  holds: false,
  ...more,
})

describe('a checklist file', () => {
  it('shows open, ticked and stale items, one section a phase', () => {
    const text = renderChecklist([
      item(),
      item({
        id: 'change',
        required: false,
        ticks: [{ attempt: 1, subject }],
        holds: true,
        evidence: { kind: 'gate', gate: 'change' },
      }),
      item({ phase: 'deliver', ticks: [{ attempt: 1, subject }], holds: false }),
    ])
    expect(text).toMatchInlineSnapshot(`
      "# Checklist

      <!-- Rendered from the session. \`*\` is required; a stale item was true for an earlier state of the files. -->

      ## build

      - [ ] \`tests\`* The tests pass <!-- {"evidence":{"command":"test","kind":"command"},"ticks":[]} -->
      - [x] \`change\` The tests pass <!-- {"evidence":{"gate":"change","kind":"gate"},"ticks":[{"attempt":1,"subject":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]} -->

      ## deliver

      - [x] \`tests\`* The tests pass _(stale)_ <!-- {"evidence":{"command":"test","kind":"command"},"ticks":[{"attempt":1,"subject":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}]} -->
      "
    `)
  })

  it('counts a tick only while its evidence holds', () => {
    const ticks = [{ attempt: 1, subject }]
    expect([isDone(item()), isDone(item({ ticks, holds: false })), isDone(item({ ticks, holds: true }))]).toEqual([
      false,
      false,
      true,
    ])
  })

  it('reads back what it wrote, whatever the texts hold', () => {
    const slug = fc.stringMatching(/^[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,4})?$/)
    const words = fc.oneof(
      fc.string({ minLength: 1, unit: 'grapheme' }),
      fc.constantFrom('a -->', '<!-- b', ' _(stale)_', '`x`* y', '&lt; &#95;', '--', '](x)', 'a\u2028b\u2029c'),
    )
    const text = words.map((line) => line.replace(/\s+/g, ' ').trim()).filter((line) => line !== '')
    const evidence = fc.oneof(
      fc.record({ kind: fc.constant('file' as const), path: words, minContent: fc.nat() }),
      fc.record({
        kind: fc.constant('approval' as const),
        roles: fc.constant<never[]>([]),
        quorum: fc.constant(1),
        question: words,
      }),
      fc.record({ kind: fc.constant('command' as const), argv: fc.array(words, { minLength: 1 }) }),
      fc.record({ kind: fc.constant('gate' as const), gate: slug }),
    )
    const ticks = fc.array(
      fc.record({ attempt: fc.integer({ min: 1, max: 9 }), subject: fc.constantFrom(subject, 'b'.repeat(64)) }),
      { maxLength: 2 },
    )
    const items = fc
      .array(fc.record({ id: slug, text, required: fc.boolean(), evidence, ticks, stale: fc.boolean() }), { maxLength: 6 })
      .map((all) => all.filter((one, index) => all.findIndex(({ id }) => id === one.id) === index))
      .map((all) =>
        all.map(({ stale, ...one }, index) => ({
          ...one,
          phase: index < 3 ? 'build' : 'deliver',
          holds: one.ticks.length > 0 && !stale,
        })),
      )
    fc.assert(
      fc.property(items, (all) => {
        const written = renderChecklist(all)
        expect(parseChecklist(written, 'checklist.md')).toEqual(all)
        expect(parseChecklist(written.replaceAll('\n', '\r\n'), 'checklist.md')).toEqual(all)
        expect(renderChecklist(parseChecklist(written, 'checklist.md'))).toBe(written)
      }),
      { numRuns: 500 },
    )
  })

  const good = renderChecklist([item()])
  const line = good.split('\n').find((one) => one.startsWith('- ')) as string
  const cases: [string, string, string][] = [
    ['an id that is there twice', `${good}${line}\n`, 'c.md:8: item "tests" is there twice in phase "build"'],
    ['a phase that is there twice', `${good}\n## build\n`, 'c.md:9: phase "build" is there twice'],
    ['a line that is no item', good.replace(line, '- tests pass'), 'c.md:7: "- tests pass" is not an item'],
    ['a box ticked by hand', good.replace('[ ]', '[x]'), 'c.md:7: item "tests": its box is ticked but it has no tick'],
    ['a binding cut short', good.replace('"ticks":[]}', ''), 'c.md:7: item "tests": its binding is not JSON'],
    ['a binding of another kind', good.replace('"kind":"command"', '"kind":"promise"'), 'c.md:7: item "tests": evidence.kind'],
    ['an id that is none', good.replace('`tests`', '`Tests!`'), 'c.md:7: "Tests!" is not an id'],
    ['a merge conflict', good.replace(line, `<<<<<<< ours\n${line}`), 'c.md:7: a conflict is not resolved'],
    ['an item before any phase', good.replace('## build\n', ''), 'c.md:6: an item stands before any phase'],
    ['text that is cut off', good.slice(0, good.indexOf('"ticks"')), 'c.md:7: '],
  ]
  it.each(cases)('is refused with its line: %s', (_, text, message) => {
    let caught: unknown
    try {
      parseChecklist(text, 'c.md')
    } catch (error) {
      caught = error
    }
    expect(caught).toMatchObject({ code: 'VT_CHECKLIST', kind: 'config', message: expect.stringContaining(message) })
  })
})
