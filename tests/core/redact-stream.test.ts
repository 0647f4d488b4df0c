import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { learnSecret, learnSecretsOf } from '../../core/known-secrets.ts'
import { openRedactor } from '../../core/redact-stream.ts'
import { redactSecrets } from '../../core/secrets.ts'

/** A value that no pattern would find: it is known, or it is not found. */
const KNOWN = 'correct horse+battery/staple=7'
const TOKENS = {
  github: `ghp_${'aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI3kM5'}`,
  // As installations get them since 2026: an id and a signed part.
  installation: `ghs_1234567_eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.${'eyJpYXQiOjE3NjAwMDAwMDAsImlzcyI6IjEyMzQ1NiJ9'.repeat(8)}.${'aZ09-_'.repeat(57)}x`,
  anthropic: `sk-ant-api03-${'Zx8Yw7Vu6Ts5Rq4Po3Nm2Lk1Ji0Hg9Fe8Dc7Ba6'}`,
  random: 'q8Xv2Lm9Rt4Yz7Wb1Nc6Kd3Pf5Hs0Jg8Vq2Tx7',
  key: `-----BEGIN EC PRIVATE KEY-----\n${'MHcCAQEEIGx3Yz8Kq2Vn7Rt4Wb1Nc6Kd3Pf5Hs0Jg8Vq2Tx7aB3d\n'.repeat(4)}-----END EC PRIVATE KEY-----`,
}

const wrapped = (text: string, width: number, by = '\n') => (text.match(new RegExp(`.{1,${width}}`, 'gs')) ?? []).join(by)
const bytes = (text: string) => Buffer.from(text)

/** Every form in which the known value must not get through, within a text around it. */
const FORMS: Record<string, (value: string, before: string, after: string) => string> = {
  raw: (value) => value,
  json: (value) => JSON.stringify(value),
  url: (value) => encodeURIComponent(value),
  'url, small letters': (value) => encodeURIComponent(value).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  hex: (value) => bytes(value).toString('hex'),
  'hex in capitals': (value) => bytes(value).toString('hex').toUpperCase(),
  'hex in pairs': (value) => wrapped(bytes(value).toString('hex'), 2, ' '),
  'hex as escapes': (value) => wrapped(bytes(value).toString('hex'), 2, '\\x'),
  'hex as a URL': (value) => `%${wrapped(bytes(value).toString('hex'), 2, '%')}`,
  'hex in lines': (value) => wrapped(bytes(value).toString('hex'), 40),
  base64: (value) => bytes(value).toString('base64'),
  base64url: (value) => bytes(value).toString('base64url'),
  'base64 within a longer text': (value, before, after) => bytes(before + value + after).toString('base64'),
  'base64 in lines': (value, before, after) => wrapped(bytes(before + value + after).toString('base64'), 76),
}

/** Letters of an encoding that would give the value back, read without the breaks in between. */
function givesBack(text: string, value: string): boolean {
  const tight = text.replace(/\\x|%|\s/g, '')
  const decoded = [0, 1, 2].flatMap((offset) => {
    const found: string[] = []
    for (const run of text.replace(/\s/g, '').match(/[A-Za-z0-9+/_-]{12,}/g) ?? []) {
      for (let from = 0; from < 4; from++)
        found.push(Buffer.from('A'.repeat(offset) + run.slice(from), 'base64').toString('latin1'))
    }
    return found
  })
  return (
    text.includes(value) ||
    decodeURIComponent(text.replace(/%(?![0-9A-Fa-f]{2})|%[89A-Fa-f]./g, '')).includes(value) ||
    tight.toLowerCase().includes(bytes(value).toString('hex')) ||
    decoded.some((one) => one.includes(value))
  )
}

function inPieces(text: string, cuts: readonly number[]): string {
  const redactor = openRedactor()
  const places = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].sort((a, b) => a - b)
  let out = ''
  let at = 0
  for (const place of [...places, text.length]) {
    out += redactor.push(text.slice(at, place))
    at = place
  }
  return out + redactor.end()
}

const filler = fc.array(
  fc.constantFrom('a line of words', 'PASS tests/a.test.ts', '', '  at main (src/index.ts:3:9)', 'größer ≥ 3'),
  {
    maxLength: 6,
  },
)
const cuts = fc.array(fc.nat(), { maxLength: 40 })

describe('a stream of output', () => {
  test('gives no known value back in any form, wherever it is cut', () => {
    onTestFinished(learnSecret(KNOWN))
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(FORMS)),
        filler,
        filler,
        fc.string({ maxLength: 7 }),
        cuts,
        (form, above, below, beside, at) => {
          const told = (FORMS[form] as (typeof FORMS)[string])(KNOWN, beside, beside)
          const text = [...above, `out: ${told} end`, ...below].join('\n')
          expect(givesBack(text, KNOWN) || form === 'json').toBe(true)
          expect(givesBack(inPieces(text, at), KNOWN)).toBe(false)
        },
      ),
      { numRuns: 300, seed: 5 },
    )
  })

  test('is, joined, what the whole text would be, wherever it is cut', () => {
    onTestFinished(learnSecret(KNOWN))
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...Object.values(TOKENS), KNOWN, 'plain words', '\n', '\n'), { maxLength: 9 }),
        cuts,
        (parts, at) => {
          const text = parts.map((part) => (part === '\n' ? part : `say ${part} now\n`)).join('')
          const out = inPieces(text, at)
          expect(out).toBe(redactSecrets(text).text)
          for (const token of Object.values(TOKENS)) expect(out).not.toContain(token.slice(0, 60))
        },
      ),
      { numRuns: 200, seed: 7 },
    )
  })

  test('holds back nothing but the line that is not over', () => {
    const redactor = openRedactor()
    expect([redactor.push('one\ntw'), redactor.push('o\nthree'), redactor.end()]).toEqual(['one\n', 'two\n', 'three'])
  })

  test('keeps a line without end in bounds and finds what stands in it', () => {
    const redactor = openRedactor()
    let out = ''
    for (let n = 0; n < 400; n++) out += redactor.push(`${'word '.repeat(200)}${n === 200 ? TOKENS.anthropic : ''} `)
    expect(out.length).toBeGreaterThan(300_000)
    out += redactor.end()
    expect(out).toContain('[redacted:anthropic-key]')
    expect(out).not.toContain(TOKENS.anthropic.slice(0, 30))
  })

  test('drops a private key whose end does not come, and goes on after it', () => {
    const redactor = openRedactor()
    let out = redactor.push('before\n-----BEGIN RSA PRIVATE KEY-----\n')
    for (let n = 0; n < 3_000; n++) out += redactor.push('MHcCAQEEIGx3Yz8Kq2Vn7Rt4Wb1Nc6Kd3Pf5Hs0Jg8Vq2Tx7aB3d\n')
    out += redactor.push('-----END RSA PRIV') + redactor.push('ATE KEY-----\nafter\n') + redactor.end()
    expect(out).toBe('before\n[redacted:private-key]\nafter\n')
  })
})

describe('the values that are known', () => {
  test('are those of variables named for it, and are forgotten again', () => {
    const env = { MY_API_KEY: 'plain words here', HOME: '/home/someone', SSH_AUTH: '/run/agent.sock', DEPLOY_TOKEN: 'short' }
    const forget = learnSecretsOf(env)
    const text = 'plain words here, /home/someone, /run/agent.sock, short'
    expect(redactSecrets(text).text).toBe('[redacted:known-secret], /home/someone, /run/agent.sock, short')
    forget()
    expect(redactSecrets(text).text).toBe(text)
  })
})
