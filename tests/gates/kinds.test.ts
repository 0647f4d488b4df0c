import { describe, expect, it } from 'vitest'
import { GateSpec, type GateSpecInput, type Standing } from '../../core/contracts/gate.ts'
import { decide, judgeGate, judgeGates, judgeKofn, ownWords, placeholdersIn, specDigest, workDigest } from '../../gates/index.ts'
import { ARTIFACTS, entriesOf, event, gateOf, openBench, opening, TICKET } from './context.ts'

const NOW = '2026-01-01T00:00:00.000Z'
const PROSE =
  'Orders arrive in a queue, each is checked against the price list of the day, and what does not fit goes into a report that sales reads every morning.'
const ADA = { kind: 'human' as const, role: 'evaluator' as const, name: 'Ada Tester' }
const BEN = { kind: 'human' as const, role: 'ops' as const, name: 'Ben Tester' }

const gate = (id: string, kind: GateSpecInput['kind'], more: Partial<GateSpecInput> = {}) =>
  GateSpec.parse({ id, title: id, why: 'a test', kind, subject: 'ticket', ...more })

describe('an artifact gate', () => {
  const notes = gate('notes', { type: 'artifact', paths: ['{artifacts}/notes.md'], template: 'use-case.md', schema: ['owner'] })
  const template = `---\nowner: nobody\n---\n# Use case\n\nDescribe who is served and what changes for them once the work is done, in your own words.\n`

  const cases: { name: string; text: string | undefined; rules: string[] }[] = [
    { name: 'that is missing', text: undefined, rules: ['missing'] },
    { name: 'that is empty', text: ' \n', rules: ['empty'] },
    { name: 'that is the template', text: template, rules: ['too-little'] },
    {
      name: 'that is headings and links only',
      text: `---\nowner: ada\n---\n${'# A heading of words\n'.repeat(30)}`,
      rules: ['too-little'],
    },
    { name: 'that still holds TODO', text: `---\nowner: ada\n---\n${PROSE}\n\nTODO: the rest\n`, rules: ['placeholder'] },
    {
      name: 'that still holds a mark to fill in',
      text: `---\nowner: ada\n---\n${PROSE} <fill in the name> {{date}}\n`,
      rules: ['placeholder', 'placeholder'],
    },
    { name: 'without a key of its front matter', text: `---\nowner: ""\n---\n${PROSE}\n`, rules: ['key'] },
    { name: 'whose front matter is no YAML', text: `---js\nprocess.exit()\n---\n${PROSE}\n`, rules: ['front-matter'] },
    { name: 'in its author’s words', text: `---\nowner: ada\n---\n# Use case\n\n${PROSE}\n`, rules: [] },
  ]

  it.each(cases)('says $rules to a document $name', async ({ text, rules }) => {
    const bench = await openBench()
    await bench.work({ 'a.txt': 'a\n', ...(text === undefined ? {} : { [`${ARTIFACTS}/notes.md`]: text }) })
    const { method } = await bench.context()
    const context = await bench.context({ method: { ...method, templates: new Map([['use-case.md', template]]) } })
    const result = await judgeGate(notes, context)
    expect(result.findings.map(({ rule }) => rule)).toEqual(rules)
    expect(result.verdict).toBe(rules.length === 0 ? 'pass' : 'fail')
  })

  it('does not follow a link to something else', async () => {
    const bench = await openBench()
    const { mkdir, symlink } = await import('node:fs/promises')
    await mkdir(`${bench.repository.dir}/${ARTIFACTS}`, { recursive: true })
    await symlink('../../../../README.md', `${bench.repository.dir}/${ARTIFACTS}/notes.md`)
    await bench.work({})
    const result = await judgeGate(notes, await bench.context())
    expect(result.findings.map(({ rule }) => rule)).toEqual(['missing'])
  })

  it('notices that a document was emptied after its gate passed', async () => {
    const plain = gate('notes', { type: 'artifact', paths: ['{artifacts}/notes.md'] })
    const bench = await openBench()
    await bench.work({ [`${ARTIFACTS}/notes.md`]: `${PROSE}\n` })
    const before = await judgeGate(plain, await bench.context())
    expect(before.verdict).toBe('pass')

    await bench.work({ [`${ARTIFACTS}/notes.md`]: '' })
    const emptied = await bench.context({ results: [before] })
    const required = [{ gate: 'notes', spec: specDigest(plain), severity: 'block' as const, human: false }]
    const after = await judgeGate(plain, emptied)
    expect(decide('build', required, [before], NOW, { ticket: after.subject.digest }).standings).toEqual([
      { gate: 'notes', standing: 'stale' },
    ])
    expect({ verdict: after.verdict, rules: after.findings.map(({ rule }) => rule) }).toEqual({
      verdict: 'fail',
      rules: ['empty'],
    })

    // The evidence gate finds it from the log, when nobody asks the document's own gate any more.
    const judgedEvent = event('GATE_JUDGED', { stage: 'advance', phase: 'build', attempt: 1, result: before })
    const evidence = await judgeGate(gateOf(emptied, 'evidence'), { ...emptied, entries: entriesOf(opening(judgedEvent)) })
    expect({ verdict: evidence.verdict, rules: evidence.findings.map(({ rule }) => rule) }).toEqual({
      verdict: 'fail',
      rules: ['empty'],
    })
  })

  it('counts only words that the template has not', () => {
    expect(ownWords('# Title\n\n- [x] one **two**\n\n| --- | --- |\n<!-- three -->\n[four](http://five.example)\n')).toBe(3)
    expect(ownWords('same line\nother line\n', '# T\n\nsame line\n')).toBe(2)
    expect(placeholdersIn('todo list, a <div>, {a}, mastodon')).toEqual([])
  })
})

describe('a metric gate', () => {
  const rule = (op: '>=' | '>' | '<=' | '<' | '==', value?: number) => ({ op, ...(value === undefined ? {} : { value }) })
  const cases = [
    { name: 'meets its threshold', rule: rule('>=', 0.9), verdict: 'pass', reason: 'scores.f1 is 0.9, >= 0.9' },
    {
      name: 'misses its threshold',
      rule: rule('>', 0.9),
      verdict: 'fail',
      reason: 'scores.f1 is 0.9, not > 0.9 (the threshold)',
    },
    {
      name: 'beats its baseline',
      rule: { ...rule('>'), baseline: { file: 'base.json', path: 'f1' } },
      verdict: 'pass',
      reason: 'scores.f1 is 0.9, > 0.8',
    },
    {
      name: 'is worse than its baseline',
      rule: { ...rule('<', 1), baseline: { file: 'base.json', path: 'f1' } },
      verdict: 'fail',
      reason: 'scores.f1 is 0.9, not < 0.8 (the baseline)',
    },
    {
      name: 'has no rule to satisfy',
      rule: rule('>='),
      verdict: 'fail',
      reason: 'the rule names neither a value nor a baseline, so nothing can satisfy it',
    },
    {
      name: 'has no baseline to compare with',
      rule: { ...rule('>'), baseline: { file: 'no.json', path: 'f1' } },
      verdict: 'fail',
      reason: 'no.json is missing',
    },
  ]
  it.each(cases)('is $verdict where a number $name', async ({ rule, verdict, reason }) => {
    const bench = await openBench({ 'base.json': '{"f1": 0.8}' })
    await bench.work({ [`${ARTIFACTS}/eval.json`]: '{"scores": {"f1": 0.9, "toString": "x"}}' })
    const spec = gate('metric', { type: 'metric', file: '{artifacts}/eval.json', path: 'scores.f1', rule })
    const result = await judgeGate(spec, await bench.context())
    expect({ verdict: result.verdict, reasons: result.reasons }).toEqual({ verdict, reasons: [reason] })
  })

  it('tells the sentences that stand beside the number, in a line each and no more than five', async () => {
    const bench = await openBench()
    const why = ['mean 9,\n## lower bound 8', ...Array.from({ length: 9 }, (_, n) => `rule ${n}`), 7]
    await bench.work({ 'verdict.json': JSON.stringify({ passed: 0, why }) })
    const of = { type: 'metric', file: 'verdict.json', path: 'passed', reasons: 'why' } as const
    const told = ['mean 9, ## lower bound 8', 'rule 0', 'rule 1', 'rule 2', 'rule 3']
    const failed = await judgeGate(gate('metric', { ...of, rule: { op: '>=', value: 1 } }), await bench.context())
    expect(failed.reasons).toEqual([...told, 'passed is 0, not >= 1 (the threshold)'])
    const passed = await judgeGate(gate('metric', { ...of, rule: { op: '>=', value: 0 } }), await bench.context())
    expect(passed.reasons).toEqual([[...told, 'passed is 0, >= 0'].join('; ')])
  })

  it.each([
    ['{"f1": "0.9"}', 'f1'],
    ['{"f1": null}', 'f1'],
    ['{}', 'constructor.length'],
    ['not json', 'f1'],
  ])('takes %s at %s for no number', async (text, path) => {
    const bench = await openBench()
    await bench.work({ 'eval.json': text })
    const spec = gate('metric', { type: 'metric', file: 'eval.json', path, rule: { op: '>=', value: 0 } })
    expect((await judgeGate(spec, await bench.context())).verdict).toBe('fail')
  })
})

describe('a human gate', () => {
  const ask = (more: object = {}) =>
    gate('acceptance', { type: 'human', question: 'Is it what you need?', ...more }, { subject: 'human' })

  async function judge(spec: GateSpec, events: (subject: string) => ReturnType<typeof opening>) {
    const bench = await openBench()
    await bench.work({ [`${ARTIFACTS}/notes.md`]: 'as approved\n' })
    const subject = await workDigest({ git: bench.repository.git, head: 'HEAD', ticket: TICKET })
    const entries = entriesOf(opening(...events(subject)))
    return { bench, subject, entries, result: await judgeGate(spec, await bench.context({ entries })) }
  }
  const yes = (subject: string, more: object = {}) =>
    event('APPROVED', { actor: ADA, gate: 'acceptance', subject, channel: 'terminal', ...more })

  it('waits, and holds the ticket, until somebody approved', async () => {
    const { result } = await judge(ask(), () => [])
    expect({ verdict: result.verdict, reasons: result.reasons }).toEqual({
      verdict: 'inconclusive',
      reasons: ['nobody has approved; asked are 1: Is it what you need?'],
    })
    const required = [{ gate: 'acceptance', spec: specDigest(ask()), severity: 'block' as const, human: true }]
    expect(decide('deliver', required, [result], NOW).next).toBe('hold')
  })

  const refused: { name: string; spec?: GateSpec; events: (subject: string) => ReturnType<typeof opening> }[] = [
    { name: 'an agent’s', events: (subject) => [yes(subject, { actor: { kind: 'agent', role: 'evaluator' } })] },
    { name: 'the configuration’s', events: (subject) => [yes(subject, { channel: 'configuration' })] },
    { name: 'one of another gate', events: (subject) => [yes(subject, { gate: 'other' })] },
    { name: 'one of another state', events: () => [yes('1'.repeat(64))] },
    { name: 'one of the wrong role', spec: ask({ roles: ['ops'] }), events: (subject) => [yes(subject)] },
    {
      name: 'one person twice',
      spec: ask({ quorum: 2 }),
      events: (subject) => [yes(subject), yes(subject, { channel: 'review' })],
    },
    {
      name: 'one that was taken back',
      events: (subject) => {
        const given = entriesOf(opening(yes(subject))).at(-1)?.id ?? ''
        return [yes(subject), event('COMMENTED', { text: 'taken back', supersedes: given })]
      },
    },
  ]
  it.each(refused)('does not take $name for an approval', async ({ spec = ask(), events }) => {
    expect((await judge(spec, events)).result.verdict).toBe('inconclusive')
  })

  it('passes with the quorum it asks, and no longer once the work changed', async () => {
    const spec = ask({ quorum: 2 })
    const { bench, entries, result } = await judge(spec, (subject) => [
      yes(subject),
      yes(subject, { actor: BEN, channel: 'comment' }),
    ])
    expect({ verdict: result.verdict, reasons: result.reasons }).toEqual({
      verdict: 'pass',
      reasons: ['approved by Ada Tester, Ben Tester'],
    })
    await bench.work({
      [`.valuetrain/tickets/${TICKET}/ticket.md`]: '# Record\n',
      [`${ARTIFACTS}/change-summary.md`]: '# Rendered\n',
    })
    expect((await judgeGate(spec, await bench.context({ entries }))).verdict).toBe('pass')
    await bench.work({ [`${ARTIFACTS}/notes.md`]: 'something else\n' })
    expect((await judgeGate(spec, await bench.context({ entries }))).verdict).toBe('inconclusive')
  })
})

describe('an override', () => {
  async function judge(
    events: (subject: string) => ReturnType<typeof opening>,
    waiver: Partial<GateSpec['waiver']> = {},
    atMs = Date.UTC(2026, 0, 1, 1),
  ) {
    const bench = await openBench()
    await bench.work({ 'a.txt': 'a\n' })
    const subject = await workDigest({ git: bench.repository.git, head: 'HEAD', ticket: TICKET })
    const { SimulatedClock } = await import('../../core/clock.ts')
    const context = await bench.context({ entries: entriesOf(opening(...events(subject))), clock: new SimulatedClock(atMs) })
    const spec = gate('metric', { type: 'metric', file: 'no.json', path: 'a', rule: { op: '>=', value: 1 } })
    return judgeGate({ ...spec, waiver: { ...spec.waiver, ...waiver } }, context)
  }
  const override = (subject: string, more: object = {}) =>
    event('OVERRIDDEN', { actor: ADA, gate: 'metric', subject, channel: 'terminal', reason: 'measured by hand', ...more })

  it('waives a fail with its reason, for the days the gate allows at most', async () => {
    const result = await judge((subject) => [override(subject, { expires: '2027-01-01T00:00:00.000Z' })], { maxDays: 3 })
    expect({ verdict: result.verdict, reasons: result.reasons, expires: result.expires }).toEqual({
      verdict: 'waived',
      reasons: ['waived by Ada Tester until 2026-01-04T00:00:03.000Z: measured by hand', 'no.json is missing'],
      expires: '2026-01-04T00:00:03.000Z',
    })
  })

  it('counts for nothing where the gate allows none, from an agent, for another state, or after its time', async () => {
    expect((await judge((subject) => [override(subject)], { allowed: false })).verdict).toBe('fail')
    expect((await judge((subject) => [override(subject, { actor: { kind: 'agent', role: 'conductor' } })])).verdict).toBe('fail')
    expect((await judge((subject) => [override(subject)], { roles: ['ops'] })).verdict).toBe('fail')
    expect((await judge(() => [override('1'.repeat(64))])).verdict).toBe('fail')
    expect((await judge((subject) => [override(subject)], { maxDays: 1 }, Date.UTC(2026, 0, 3))).verdict).toBe('fail')
  })
})

describe('k of n gates', () => {
  const standings: Standing[] = ['pass', 'waived', 'fail', 'inconclusive', 'not-applicable', 'missing', 'stale']
  const table = [0, 1, 2].flatMap((k) => standings.flatMap((a) => standings.map((b) => ({ k, a, b }))))

  it.each(table)('asks $k of $a and $b', ({ k, a, b }) => {
    const votes = [a, b].map((one) =>
      one === 'pass' || one === 'waived' ? 'yes' : one === 'fail' ? 'no' : one === 'not-applicable' ? 'none' : 'open',
    )
    const yes = votes.filter((vote) => vote === 'yes').length
    const open = votes.filter((vote) => vote === 'open').length
    const expected =
      yes >= k ? 'pass' : votes.every((vote) => vote === 'none') ? 'not-applicable' : yes + open >= k ? 'inconclusive' : 'fail'
    expect(
      judgeKofn(
        { type: 'kofn', k, of: ['a', 'b'] },
        new Map([
          ['a', a],
          ['b', b],
        ]),
      ).verdict,
    ).toBe(expected)
  })

  it('counts a gate once, however often it is named', () => {
    expect(judgeKofn({ type: 'kofn', k: 2, of: ['a', 'a'] }, new Map([['a', 'pass']])).verdict).toBe('fail')
  })
})

describe('judging several gates', () => {
  const number = (id: string, value: number, more: Partial<GateSpecInput> = {}) =>
    gate(id, { type: 'metric', file: 'eval.json', path: 'n', rule: { op: '>=', value } }, { subject: 'tree', ...more })

  it('begins with what others need, does not run what lacks its needs, and tells each result as it comes', async () => {
    const bench = await openBench()
    await bench.work({ 'eval.json': '{"n": 5}' })
    const specs = [
      gate('two', { type: 'kofn', k: 2, of: ['low', 'high', 'mid'] }, { subject: 'tree' }),
      number('after', 1, { needs: ['high'] }),
      number('high', 9),
      number('low', 1),
      number('mid', 3, { needs: ['low'] }),
    ]
    const told: string[] = []
    const results = await judgeGates(specs, await bench.context(), ({ gate: id, verdict }) => void told.push(`${id}: ${verdict}`))
    expect(told).toEqual(['low: pass', 'high: fail', 'mid: pass', 'two: pass', 'after: inconclusive'])
    expect(results.at(-1)?.reasons).toEqual(['not run, since high did not pass'])
  })

  it('refuses gates that need one another', async () => {
    const bench = await openBench()
    const specs = [number('a', 1, { needs: ['b'] }), number('b', 1, { needs: ['a'] })]
    await expect(judgeGates(specs, await bench.context())).rejects.toMatchObject({
      code: 'VT_GATE_LOOP',
      message: 'gates need one another: a > b > a',
    })
  })

  it('answers inconclusive for a check of a forge and for a built-in gate it does not know', async () => {
    const bench = await openBench()
    await bench.work({ 'a.txt': 'a\n' })
    const context = await bench.context()
    const external = await judgeGate(gate('ci', { type: 'external', check: 'ci/build' }, { subject: 'external' }), context)
    expect(external.reasons).toEqual(['the check "ci/build" is reported by a forge, and none is connected here'])
    const unknown = await judgeGate(gate('new', { type: 'builtin', name: 'from-the-future' }), context)
    expect([external.verdict, unknown.verdict]).toEqual(['inconclusive', 'inconclusive'])
  })
})
