import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventInput, EventType } from '../../core/contracts/event.ts'
import { renderFrontMatter } from '../../core/frontmatter.ts'
import { countingIds } from '../../core/ids.ts'
import { checkChain, hashOf, parseSegment, redactEntry, renderSegment, type Segment } from '../../sessions/index.ts'
import { CONDUCTOR, comments, eventsOfEveryType, headerOf, segmentOf } from './written.ts'

const ids = countingIds()
const everything = segmentOf(headerOf({ ids }), eventsOfEveryType(ids), ids)
const text = renderSegment(everything)
const rulesOf = (segment: Segment) => [...segment.findings, ...checkChain(segment)].map(({ rule }) => rule)

/** What formatters do: wrap prose, widen JSON, add and remove blank lines. */
function reflow(source: string): string {
  const blocks = source.split(/(```json\n.*\n```\n)/)
  return blocks
    .map((block) => {
      if (block.startsWith('```json')) {
        return `\`\`\`\`json\n${JSON.stringify(JSON.parse(block.slice(8, -5)), null, 2)}\n\`\`\`\`\n`
      }
      const [front = '', rest] = block.startsWith('---') ? block.split(/(?<=\n---\n)/) : ['', block]
      return front + (rest ?? '').replace(/\n/g, '\n\n').replace(/(.{40}\S*) /g, '$1\n')
    })
    .join('')
}

describe('a session file', () => {
  it('reads back to the same entries and renders to the same bytes, for every type of event', () => {
    const parsed = parseSegment(text, everything.file)
    expect(parsed).toEqual(everything)
    expect(checkChain(parsed)).toEqual([])
    expect(renderSegment(parsed)).toBe(text)
  })

  it('of the first format reads and renders byte for byte as it was written then, wording included', async () => {
    // Never regenerate this file for a change of wording: it stands for the logs that people already have.
    const frozen = await readFile(new URL('fixtures/format-1.md', import.meta.url), 'utf8')
    const parsed = parseSegment(frozen, 'x')
    expect(rulesOf(parsed)).toEqual([])
    expect(parsed.closing).toMatchObject({
      events: parsed.entries.length,
      head: parsed.entries.at(-1)?.hash,
      outcome: 'delivered',
    })
    expect(parsed.entries.length).toBeGreaterThan(30)
    expect(renderSegment(parsed)).toBe(frozen)
  })

  it('keeps its closing fields', () => {
    const closing = { closed: '2026-01-01T01:00:00.000Z', events: 3, head: 'a'.repeat(64), outcome: 'blocked: "why", done' }
    const closed = renderSegment({ ...everything, closing })
    expect(parseSegment(closed, 'x').closing).toEqual(closing)
    expect(renderSegment(parseSegment(closed, 'x'))).toBe(closed)
  })

  it('round-trips whatever people and agents say, and lets none of it become structure', () => {
    const unit = fc.constantFrom(
      '\n',
      '\r\n',
      '```',
      '`',
      '#',
      '## 1 ABORTED',
      '<<<<<<< ',
      '---',
      'x',
      ' ',
      '\u2028',
      '\u0000',
      '\ud800',
      '> ',
      '- ',
      '\\',
      '💥',
    )
    const words = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(unit).map((parts) => parts.join('')),
    )
    fc.assert(
      fc.property(words, words, (said, name) => {
        const own = countingIds()
        const data = { actor: { ...CONDUCTOR, name }, text: said } as EventInput<EventType>
        const written = renderSegment(segmentOf(headerOf({ ids: own }), [{ type: 'COMMENTED', data }, ...comments(1)], own))
        const parsed = parseSegment(written, 'x')
        expect(rulesOf(parsed)).toEqual([])
        expect(parsed.entries.map(({ type }) => type)).toEqual(['COMMENTED', 'COMMENTED'])
        expect(renderSegment(parsed)).toBe(written)
        const body = written.slice(written.indexOf('\n---\n') + 5)
        expect(body.split('\n').filter((line) => /^(?:#|`|<|>|=|-)/.test(line))).toEqual([
          expect.stringMatching(/^# Session of/),
          '## 0 COMMENTED',
          '```json',
          '```',
          '## 1 COMMENTED',
          '```json',
          '```',
        ])
      }),
      { numRuns: 300 },
    )
  })

  it('keeps header fields, data fields and event types of a newer version', () => {
    const own = countingIds()
    const base = segmentOf({ ...headerOf({ ids: own }), novel: { a: [1, 'b'] } }, comments(1), own)
    const newer = segmentOf(
      base.header,
      [{ type: 'COMMENTED', data: { actor: CONDUCTOR, text: 'x', mood: ['good'] } as EventInput<EventType> }],
      own,
    )
    const unknown = { ...newer.entries[0], type: 'TELEPORTED' } as unknown as Segment['entries'][number]
    unknown.hash = hashOf(unknown)
    const written = renderSegment({ ...newer, entries: [unknown] })
    const parsed = parseSegment(written, newer.file)
    expect(rulesOf(parsed)).toEqual([])
    expect(parsed.header).toEqual(newer.header)
    expect(parsed.entries).toEqual([unknown])
    expect(renderSegment(parsed)).toBe(written)
  })

  it('is not found altered after a CRLF checkout, stripped spaces, reflowed prose, widened JSON or a byte order mark', () => {
    const variants = {
      crlf: text.replaceAll('\n', '\r\n'),
      stripped: text.replace(/[ \t]+$/gm, '').trimEnd(),
      reflowed: reflow(text),
      both: reflow(text).replaceAll('\n', '\r\n'),
      marked: `\uFEFF${text}`,
      yaml: renderFrontMatter({ ...everything.header }, text.slice(text.indexOf('\n---\n') + 5)),
    }
    for (const [name, variant] of Object.entries(variants)) {
      const parsed = parseSegment(variant, everything.file)
      expect({ name, rules: rulesOf(parsed), same: parsed.entries }).toEqual({ name, rules: [], same: everything.entries })
      expect(parsed.header).toEqual(everything.header)
      expect(parsed.torn).toBeUndefined()
    }
  })

  it('is found altered when the text for people says something else', () => {
    const changed = text.replace('says fail on tree', 'says pass on tree')
    expect(changed).not.toBe(text)
    expect(parseSegment(changed, 'f.md').findings).toEqual([
      {
        rule: 'text-altered',
        severity: 'error',
        message: expect.stringMatching(/^f\.md: the text above entry \d+ is not what the entry says$/),
        path: 'f.md',
        line: expect.any(Number),
      },
    ])
    expect(parseSegment(`${text}\nAll gates passed.\n`, 'f.md').findings.map(({ rule }) => rule)).toEqual(['text-altered'])
    expect(parseSegment(text.replace('# Session of build_42', '# Session of build_43'), 'f').findings).toHaveLength(1)
  })

  it('blanks an entry without breaking its chain, and says so to people', () => {
    const target = everything.entries[4]
    const redacted = redactEntry(everything, target?.id ?? '')
    const written = renderSegment(redacted)
    const parsed = parseSegment(written, everything.file)
    expect(rulesOf(parsed)).toEqual([])
    expect(parsed.entries[4]).toEqual({ ...target, data: null, digest: expect.stringMatching(/^[0-9a-f]{64}$/) })
    expect(written).toContain('Its data was redacted')
    expect(() => redactEntry(everything, 'nobody')).toThrow(expect.objectContaining({ code: 'VT_ENTRY_UNKNOWN' }))
  })

  it('cut off at any byte of its last entry is torn there, with everything before intact', () => {
    const own = countingIds()
    const small = segmentOf(headerOf({ ids: own }), comments(3, 'naïve 💥 `x`'), own)
    const bytes = Buffer.from(renderSegment(small))
    const before = Buffer.byteLength(renderSegment({ ...small, entries: small.entries.slice(0, 2) }))
    for (let end = before; end < bytes.length; end++) {
      const parsed = parseSegment(bytes.subarray(0, end).toString(), 'x')
      const isWhole = end === bytes.length - 1
      const isBlank = end <= before + 1
      expect({ end, entries: parsed.entries, torn: parsed.torn !== undefined }).toEqual({
        end,
        entries: small.entries.slice(0, isWhole ? 3 : 2),
        torn: !isWhole && !isBlank,
      })
      expect(parsed.findings.filter(({ severity }) => severity === 'error')).toEqual([])
    }
  })

  it('of which a power cut left zeros at the end is torn, too', () => {
    expect(parseSegment(`${text}\0\0\0\0`, 'x').torn).toEqual({ bytes: 4, text: '\0\0\0\0' })
  })

  it('with the markers of a merge conflict is read up to them, with a finding that names file and line', () => {
    const own = countingIds()
    const small = segmentOf(headerOf({ ids: own }), comments(3), own)
    const whole = renderSegment(small)
    const at = whole.indexOf('\n## 2 ')
    const conflicted = `${whole.slice(0, at)}\n<<<<<<< HEAD${whole.slice(at)}\n=======\nother\n>>>>>>> branch\n`
    const parsed = parseSegment(conflicted, 'dir/f.md')
    expect(parsed.entries).toEqual(small.entries.slice(0, 2))
    expect(parsed.findings).toEqual([
      {
        rule: 'conflict-markers',
        severity: 'error',
        message: 'dir/f.md holds the markers of a merge conflict; what stands below them is not read',
        path: 'dir/f.md',
        line: whole.slice(0, at).split('\n').length + 1,
      },
    ])
  })

  it('with data nested too deeply to hash is found altered and stops nothing', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`
    const forged = text.replace('"text":""', `"text":${deep}`)
    expect(forged).not.toBe(text)
    expect(rulesOf(parseSegment(forged, 'x'))).toContain('hash-wrong')
  })
})

describe('front matter that is not a session file’s', () => {
  const body = '\n# x\n'
  const cases: Record<string, string> = {
    'is missing': body,
    'is never closed': '---\nschema: 1\n',
    'is a list': `---\n- a\n---\n${body}`,
    'is a word': `---\nword\n---\n${body}`,
    'is JavaScript': `---js\n{ schema: (globalThis.wasRun = true) }\n---\n${body}`,
    'is JSON by name': `---json\n{"schema":1}\n---\n${body}`,
    'is huge': `---\nnote: ${'x'.repeat(70_000)}\n---\n${body}`,
    explodes: `---\na: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'.replace(/./g, (c, at) => `${c}: &${c} [${Array(9).fill(`*${'abcdefgh'[at]}`).join(',')}]\n`)}---\n${body}`,
    'has a wrong field': text.replace('epoch: 1', 'epoch: none'),
    'names a key twice': text.replace('epoch: 1', 'epoch: 1\nepoch: 2'),
    'is half closed': text.replace('epoch: 1', 'epoch: 1\noutcome: done'),
    'is in conflict': text.replace('epoch: 1', '<<<<<<< HEAD\nepoch: 1\n=======\nepoch: 2\n>>>>>>> x'),
  }
  it.each(Object.entries(cases))('%s: refused with the file named, never executed', (_, source) => {
    expect(() => parseSegment(source, 'dir/f.md')).toThrow(
      expect.objectContaining({ code: 'VT_SESSION_FRONT_MATTER', kind: 'config', message: expect.stringContaining('dir/f.md') }),
    )
    expect(globalThis).not.toHaveProperty('wasRun')
  })
})
