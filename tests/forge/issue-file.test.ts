import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldTitle, parseIssueFile, pathOfIssue, renderIssueFile, setState } from '../../forge/index.ts'

const PATH = '.valuetrain/issues/7-mend-it.md'

/** Text as it survives a file: well-formed, LF only, ending with a line break unless empty, not beginning with an empty line. */
const body = fc
  .string({
    unit: fc.oneof(fc.constantFrom('\n', '-', '#', ' ', '`', ':'), fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 })),
  })
  .map((text) => text.toWellFormed().replaceAll('\r', '').replace(/^\n+/, ''))
  .map((text) => (text === '' || text.endsWith('\n') ? text : `${text}\n`))
const words = fc.array(
  fc.string({ unit: 'grapheme' }).map((text) => text.toWellFormed()),
  { maxLength: 3 },
)
const issue = fc.record({
  number: fc.integer({ min: 1, max: 999_999_999 }),
  title: fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((text) => /[^\p{Cc}\s]/u.test(text.toWellFormed()))
    .map(foldTitle),
  body,
  labels: words,
  assignees: words,
  state: fc.constantFrom('open' as const, 'closed' as const),
  createdAt: fc
    .date({ min: new Date('1971-01-01'), max: new Date('2999-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  blockedBy: fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 3 }),
})

describe('an issue file', () => {
  test('reads back as the issue it was written from', () => {
    fc.assert(
      fc.property(issue, (original) => {
        const location = pathOfIssue(original.number, original.title)
        expect(parseIssueFile(renderIssueFile(original), location)).toEqual({ ...original, location })
      }),
    )
  })

  test('written by hand needs nothing but a title; the file name says the number', () => {
    expect(parseIssueFile('---\ntitle: Mend it\n---\n\nPlease.\n', PATH)).toEqual({
      number: 7,
      title: 'Mend it',
      body: 'Please.\n',
      labels: [],
      assignees: [],
      state: 'open',
      createdAt: '1970-01-01T00:00:00.000Z',
      blockedBy: [],
      location: PATH,
    })
  })

  test('with Windows line ends, a parent and an offset in its date means the same', () => {
    const text = '---\r\nnumber: 7\r\ntitle: Mend it\r\nparent: 3\r\ncreated: 2026-01-31T10:00:00+01:00\r\n---\r\nOne\r\nTwo\r\n'
    expect(parseIssueFile(text, PATH)).toMatchObject({ parent: 3, createdAt: '2026-01-31T09:00:00.000Z', body: 'One\nTwo\n' })
  })

  test.each([
    ['no front matter', 'Just text\n', 'VT_CONFIG', /title: is not text/],
    ['a title that is no text', '---\ntitle: 42\n---\n', 'VT_CONFIG', /title: is not text; put it in quotes/],
    ['front matter that is a list', '---\n- a\n---\n', 'VT_YAML', /7-mend-it\.md/],
    ['front matter that is never closed', '---\ntitle: a\n', 'VT_FRONT_MATTER', /never closed/],
    ['front matter in another language', '---js\n{ title: process.exit(1) }\n---\n', 'VT_FRONT_MATTER_LANGUAGE', /"js"/],
    ['a colon that YAML takes for a key', '---\ntitle: fix: it\n---\n', 'VT_YAML', /7-mend-it\.md/],
    ['a state there is not', '---\ntitle: a\nstate: opened\n---\n', 'VT_CONFIG', /state: expected one of open, closed.*"open"/],
    ['labels that are no list', '---\ntitle: a\nlabels: auto\n---\n', 'VT_CONFIG', /labels/],
    ['a number of another file', '---\ntitle: a\nnumber: 8\n---\n', 'VT_ISSUE_NUMBER', /file name says 7, the front matter 8/],
    ['a date of no calendar', '---\ntitle: a\ncreated: 2026-13-41\n---\n', 'VT_CONFIG', /created/],
    [
      'a date that means different instants in different places',
      '---\ntitle: a\ncreated: 2026-01-31 10:00\n---\n',
      'VT_CONFIG',
      /created/,
    ],
    ['conflict markers', '---\n<<<<<<< ours\ntitle: a\n=======\ntitle: b\n>>>>>>> theirs\n---\n', 'VT_YAML', /7-mend-it\.md/],
    ['aliases that explode', `---\ntitle: a\nx: &a [b, b]\n${bomb()}---\n`, 'VT_YAML', /7-mend-it\.md/],
  ])('with %s is refused, and the file is named', (_, text, code, message) => {
    expect(() => parseIssueFile(text, PATH)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }))
    expect(() => parseIssueFile(text, PATH)).toThrow(PATH)
  })
})

describe('setting the state', () => {
  test.each([
    [
      'keeps comments, unknown keys, order and quotes',
      '---\n# ours\ntitle:   "a"   # quoted\nstate: open # for now\nestimate: 3\n---\n\nstate: open\n',
      '---\n# ours\ntitle:   "a"   # quoted\nstate: closed # for now\nestimate: 3\n---\n\nstate: open\n',
    ],
    ['adds the key where there is none', '---\ntitle: a\n---\nBody\n', '---\ntitle: a\nstate: closed\n---\nBody\n'],
    ['keeps Windows line ends', '---\r\ntitle: a\r\n---\r\nBody\r\n', '---\r\ntitle: a\r\nstate: closed\r\n---\r\nBody\r\n'],
    ['replaces a quoted value', '---\nstate: "open"\ntitle: a\n---\n', '---\nstate: closed\ntitle: a\n---\n'],
    ['fills an empty value', '---\nstate:\ntitle: a\n---\n', '---\nstate: closed\ntitle: a\n---\n'],
    ['works in flow style', '---\n{title: a, x: 1}\n---\nBody\n', '---\n{ title: a, x: 1, state: closed }\n---\nBody\n'],
  ])('%s', (_, before, after) => {
    expect(setState(before, 'closed', PATH)).toBe(after)
    expect(parseIssueFile(after, PATH).state).toBe('closed')
  })

  test('changes nothing but the state of any issue', () => {
    fc.assert(
      fc.property(issue, (original) => {
        const location = pathOfIssue(original.number, original.title)
        const closed = setState(renderIssueFile(original), 'closed', location)
        expect(parseIssueFile(closed, location)).toEqual({ ...original, state: 'closed', location })
        expect(setState(closed, original.state, location)).toBe(renderIssueFile(original))
      }),
    )
  })

  test('of a file without front matter is refused', () => {
    expect(() => setState('Just text\n', 'closed', PATH)).toThrow(expect.objectContaining({ code: 'VT_FRONT_MATTER' }))
  })
})

function bomb(): string {
  const names = 'abcdefghij'.split('')
  return names
    .slice(1)
    .map((name, index) => `${name}${name}: &${name} [${Array(9).fill(`*${names[index]}`).join(', ')}]\n`)
    .join('')
}
