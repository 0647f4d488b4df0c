import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { checkText } from '../../bin/display/check.ts'
import { renderJunit } from '../../bin/display/junit.ts'
import { paintFor } from '../../bin/display/paint.ts'
import { renderSarif } from '../../bin/display/sarif.ts'
import type { CheckedGate, CheckReport } from '../../conductor/check/check.ts'
import type { GateResult, Standing } from '../../core/contracts/gate.ts'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const ID = 'a'.repeat(40)

function gate(name: string, verdict: Standing, severity: 'block' | 'warn' = 'block', reason = `it says ${verdict}`): CheckedGate {
  if (verdict === 'missing' || verdict === 'stale') return { gate: name, verdict, severity, results: [] }
  const result: GateResult = {
    id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
    gate: name,
    spec: 'b'.repeat(64),
    verdict,
    key: 'c'.repeat(64),
    subject: { kind: 'tree', digest: ID },
    severity,
    reasons: [reason],
    findings: [],
    evidence: { durationMs: 1500, outputTail: 'last <line>\n\u0007]]> & "quoted"' },
    at: '2026-01-01T00:00:00.000Z',
  }
  return { gate: name, verdict, severity, results: [{ on: 'head', result }] }
}

const REPORT: CheckReport = {
  ok: false,
  base: 'd'.repeat(40),
  head: ID,
  merge: 'judged',
  gates: [
    gate('lint', 'pass'),
    gate('test', 'fail'),
    gate('types', 'inconclusive'),
    gate('size', 'waived'),
    gate('link', 'not-applicable'),
    gate('style', 'fail', 'warn'),
    gate('lost', 'missing'),
  ],
  findings: [
    { rule: 'secret', severity: 'error', message: 'src/ü b.ts, line 3, holds a "key" <x> & more', path: 'src/ü b.ts', line: 3 },
    { rule: 'ungated-commit', severity: 'error', message: 'commit aaaaaaaaa (x) was not seen', commit: ID },
    { rule: 'large', severity: 'warning', message: 'big', path: 'big.bin' },
    ...Array.from({ length: 7 }, (_, index) => ({
      rule: 'gate-changed',
      severity: 'notice' as const,
      message: `gate ${index} is new`,
    })),
  ],
  commits: [{ commit: ID, parents: [], title: 'x', tickets: [], tree: ID, evidence: 'missing' }],
  waivers: [
    {
      kind: 'waiver',
      gate: 'size',
      ticket: 'build_1',
      by: 'Ada',
      reason: 'a picture',
      expires: '2026-02-01T00:00:00.000Z',
      expired: false,
    },
    {
      kind: 'skip',
      gate: 'secrets',
      ticket: null,
      by: 'Bob',
      reason: 'a test key',
      expires: '2026-01-02T00:00:00.000Z',
      expired: true,
    },
  ],
}

/**
 * The parts of SARIF 2.1.0 that a report has, as the specification's text asks for them (sections 3.13, 3.14, 3.18, 3.19,
 * 3.20, 3.27 to 3.30, 3.49). This is a structural check that needs nothing from elsewhere; unknown properties are refused.
 * `tests/live/published-formats.test.ts` validates by the published schema.
 */
const Text = z.strictObject({ text: z.string().min(1) })
const Sarif = z.strictObject({
  $schema: z.url(),
  version: z.literal('2.1.0'),
  runs: z
    .array(
      z.strictObject({
        tool: z.strictObject({
          driver: z.strictObject({
            name: z.string().min(1),
            semanticVersion: z.string().regex(/^\d+\.\d+\.\d+/),
            rules: z.array(z.strictObject({ id: z.string().min(1), shortDescription: Text })),
          }),
        }),
        invocations: z.array(z.strictObject({ executionSuccessful: z.boolean(), exitCode: z.int() })),
        columnKind: z.enum(['utf16CodeUnits', 'unicodeCodePoints']),
        results: z.array(
          z.strictObject({
            ruleId: z.string().min(1),
            ruleIndex: z.int().min(0),
            level: z.enum(['none', 'note', 'warning', 'error']),
            message: Text,
            locations: z
              .array(
                z.strictObject({
                  physicalLocation: z.strictObject({
                    artifactLocation: z.strictObject({
                      uri: z.string().regex(/^[A-Za-z0-9._~!$&'()*+,;=:@/%-]+$/),
                      uriBaseId: z.string(),
                    }),
                    region: z.strictObject({ startLine: z.int().min(1) }).optional(),
                  }),
                }),
              )
              .optional(),
            partialFingerprints: z.record(z.string(), z.string()),
            properties: z.strictObject({ commit: z.string() }).optional(),
          }),
        ),
        properties: z.strictObject({ base: z.string(), head: z.string(), ok: z.boolean() }),
      }),
    )
    .length(1),
})

describe('a report as SARIF', () => {
  it('has the form that the specification asks for, and each result names a rule that is there', () => {
    const run = Sarif.parse(JSON.parse(renderSarif(REPORT, '1.2.3'))).runs[0]
    const rules = run?.tool.driver.rules.map(({ id }) => id) ?? []
    expect(rules).toEqual(['gate-changed', 'large', 'secret', 'ungated-commit'])
    expect(run?.results.map(({ ruleId, ruleIndex, level }) => [ruleId, rules[ruleIndex], level]).slice(0, 4)).toEqual([
      ['secret', 'secret', 'error'],
      ['ungated-commit', 'ungated-commit', 'error'],
      ['large', 'large', 'warning'],
      ['gate-changed', 'gate-changed', 'note'],
    ])
    expect(run?.results[0]?.locations?.[0]?.physicalLocation).toEqual({
      artifactLocation: { uri: 'src/%C3%BC%20b.ts', uriBaseId: '%SRCROOT%' },
      region: { startLine: 3 },
    })
    expect(run?.results[1]).toMatchObject({ properties: { commit: ID } })
    expect(new Set(run?.results.map(({ partialFingerprints }) => JSON.stringify(partialFingerprints))).size).toBe(10)
  })
})

/** No schema of JUnit's XML is published by its authors, so this checks its structure: well formed, and counts that add up. */
describe('a report as JUnit XML', () => {
  it('is well formed, counts what it holds, and says no as the gates do', () => {
    const root = parseXml(renderJunit(REPORT))
    expect(root).toMatchObject({ name: 'testsuites', attributes: { tests: '11', failures: '3', errors: '2', skipped: '2' } })
    const [gates, findings] = root.children
    expect(gates?.children.map(({ attributes, children }) => [attributes.name, children[0]?.name])).toEqual([
      ['lint', 'system-out'],
      ['test', 'failure'],
      ['types', 'error'],
      ['size', 'skipped'],
      ['link', 'skipped'],
      ['style', 'system-out'],
      ['lost', 'error'],
    ])
    expect(gates?.children[1]?.children[0]?.text).toBe('head: last <line>\n]]> & "quoted"')
    expect(findings?.attributes).toEqual({
      name: 'findings',
      tests: '4',
      failures: '2',
      errors: '0',
      skipped: '0',
      time: '0.000',
    })
    for (const suite of root.children) {
      expect(suite.name).toBe('testsuite')
      expect(suite.attributes.tests).toBe(String(suite.children.length))
      for (const one of suite.children)
        expect([one.name, Object.keys(one.attributes)]).toEqual(['testcase', ['classname', 'name', 'time']])
    }
  })
})

describe('a report as text', () => {
  it('shows what was set aside with who, until when and why, and counts what it does not show', () => {
    const paint = paintFor({ color: false } as never)
    const text = checkText(REPORT, ['one note'], paint)
    expect(text).toContain('note: one note')
    expect(text).toMatch(/waived +size +Ada +until 2026-02-01T00:00:00.000Z +a picture/)
    expect(text).toMatch(/left out +secrets +Bob +ended 2026-01-02T00:00:00.000Z +a test key/)
    expect(text).toContain('gate-changed  and 2 more')
    expect(text.split('\n').at(-1)).toBe(
      'not ok  aaaaaaaaa against ddddddddd: 7 gates, 4 say no; 1 commit, 0 with evidence; merge result judged, too',
    )
  })
})

describe('the command', () => {
  it('prints one of its forms, each with the same outcome, and refuses two at once', async () => {
    const { dir, env, git, commit } = await makeRepository()
    await git.run(['switch', '-q', '-c', 'feature'])
    await commit({ 'a.txt': 'a' })
    const terminal = openTerminal({ dir, env })
    const sarif = await terminal.run('check', '--sarif')
    const junit = await terminal.run('check', '--junit')
    expect([sarif.code, Sarif.parse(JSON.parse(sarif.stdout)).runs[0]?.properties.ok]).toEqual([0, true])
    expect([junit.code, parseXml(junit.stdout).attributes.failures]).toEqual([0, '0'])
    const two = await terminal.run('check', '--sarif', '--json')
    expect(two).toMatchObject({ code: 2, stderr: expect.stringContaining('three forms of one report') })
    expect((await terminal.run('check', '--head', 'gone')).stderr).toContain('--head gone names no commit')
    const reused = await openTerminal({ dir, env: { ...env, CI: '1' } }).run('check', '--reuse')
    expect(reused).toMatchObject({ code: 0, stdout: expect.stringContaining('trusts no result of elsewhere') })
  })
})

interface Xml {
  name: string
  attributes: Record<string, string>
  children: Xml[]
  text: string
}

/** Reads the subset of XML 1.0 that a report uses and throws on everything that is not well formed in it. */
function parseXml(source: string): Xml {
  const head = '<?xml version="1.0" encoding="UTF-8"?>\n'
  if (!source.startsWith(head)) throw new Error('no declaration')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML has no way to write them
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(source)) throw new Error('a character that XML cannot hold')
  const top: Xml = { name: '', attributes: {}, children: [], text: '' }
  const open = [top]
  const token = /<(\/?)([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)>|([^<]+)/y
  token.lastIndex = head.length
  while (token.lastIndex < source.length) {
    const at = token.lastIndex
    const match = token.exec(source)
    if (!match) throw new Error(`not well formed at ${source.slice(at, at + 40)}`)
    const [, close, name = '', attributes = '', empty, text] = match
    const parent = open.at(-1) as Xml
    if (text !== undefined) parent.text += plainOf(text)
    else if (close) {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes something else`)
    } else {
      const pairs = [...attributes.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key, value]) => [key, plainOf(value ?? '')])
      const element: Xml = { name, attributes: Object.fromEntries(pairs), children: [], text: '' }
      parent.children.push(element)
      if (!empty) open.push(element)
    }
  }
  if (open.length !== 1 || top.children.length !== 1) throw new Error('not one root element')
  return top.children[0] as Xml
}

function plainOf(text: string): string {
  if (/&(?!(?:amp|lt|gt|quot);)/.test(text)) throw new Error(`a bare ampersand in ${text}`)
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
}
