import { describe, expect, it } from 'vitest'
import { defaultConfig, parseConfig } from '../../core/config.ts'
import { GateSpec, type GateSpecInput } from '../../core/contracts/gate.ts'
import type { Item, Method, PhaseSpec } from '../../core/contracts/method.ts'
import { GUARD_RAILS, inScope, matchesAny, requiredGates, resolveGates, unnamedCommands, weakened } from '../../gates/index.ts'
import { loadMethod } from '../../modes/index.ts'

const EMPTY = { source: 'nothing', read: async () => undefined, list: async () => [] }
const YAML = `
commands:
  lint: [npm, run, lint]
  test: [npm, test]
gates:
  - { id: everywhere, title: A, why: b, subject: tree, kind: { type: command, argv: [make, a] } }
  - { id: in-design, title: A, why: b, subject: tree, modes: [design], kind: { type: command, argv: [make, b] } }
  - { id: at-push, title: A, why: b, subject: tree, stages: [pre-push], kind: { type: command, argv: [make, c] } }
`

async function ask(phase: Partial<PhaseSpec> = {}, { yaml = YAML, items = [] as Item[] } = {}) {
  const config = parseConfig(yaml)
  const built = await loadMethod(EMPTY, config)
  const mode = {
    ...(built.modes.get('build') as NonNullable<ReturnType<Method['modes']['get']>>),
    entry: [],
    exit: [],
    checklist: items,
    gates: ['change', 'commands'],
  }
  const method: Method = { ...built, modes: new Map([...built.modes, ['build', mode]]) }
  const position: PhaseSpec = { name: 'build', mode: 'build', works: true, joined: false, children: false, ...phase }
  const pipeline = { schema: 1 as const, id: 'own', title: 'Own', purpose: 'a test', phases: [position] }
  return requiredGates({ gates: resolveGates({ config }), config, method, pipeline, phase: position })
}

const item = (id: string, evidence: Item['evidence'], required = true): Item => ({ id, text: id, required, evidence })

describe('what a phase requires', () => {
  it('is the mode’s gates, the repository’s for the mode, and the guard-rails', async () => {
    const { required, specs } = await ask()
    expect(required.map(({ gate }) => gate)).toEqual(['change', 'lint', 'test', 'everywhere', ...GUARD_RAILS])
    expect(specs.map(({ id }) => id)).toEqual(required.map(({ gate }) => gate))
  })

  it('is what the phase lists instead, and the guard-rails all the same', async () => {
    const { required } = await ask({ gates: ['types', 'test'], items: [] })
    expect(required.map(({ gate }) => gate)).toEqual(['test', 'everywhere', ...GUARD_RAILS])
  })

  it('has one gate an item, and the bound gate itself where an item is bound to one', async () => {
    const items = [
      item('notes', { kind: 'file', path: '{artifacts}/notes.md', minContent: 5 }),
      item('green', { kind: 'command', command: 'test' }),
      item('typed', { kind: 'command', command: 'types' }),
      item('checked', { kind: 'command', argv: ['make', 'check'] }),
      item('good', { kind: 'metric', file: 'eval.json', path: 'f1', rule: { op: '>=', value: 0.9 } }),
      item('accepted', { kind: 'approval', roles: ['evaluator'], quorum: 1, question: 'Good?' }),
      item('opened', { kind: 'link', to: 'issue' }),
      item('all-green', { kind: 'gate', gate: 'commands' }),
      item('wished', { kind: 'gate', gate: 'summary' }, false),
    ]
    const asked = await ask({ gates: [] }, { items })
    expect(asked.items.map(({ item: { id }, gates }) => ({ id, gates }))).toEqual([
      { id: 'notes', gates: ['item-build-notes'] },
      { id: 'green', gates: ['test'] },
      { id: 'typed', gates: [] },
      { id: 'checked', gates: ['item-build-checked'] },
      { id: 'good', gates: ['item-build-good'] },
      { id: 'accepted', gates: ['item-build-accepted'] },
      { id: 'opened', gates: ['item-build-opened'] },
      { id: 'all-green', gates: ['lint', 'test'] },
      { id: 'wished', gates: ['summary'] },
    ])
    const marks = asked.required
      .filter(({ item }) => item !== undefined)
      .map(({ gate, severity, item, human }) => ({ gate, severity, item, human }))
    expect(marks).toContainEqual({ gate: 'item-build-accepted', severity: 'block', item: 'accepted', human: true })
    expect(marks).toContainEqual({ gate: 'summary', severity: 'warn', item: 'wished', human: false })
    expect(marks).toContainEqual({ gate: 'test', severity: 'block', item: 'green', human: false })
  })

  it('does not lower a gate because an optional item is bound to it', async () => {
    const { required } = await ask(
      { gates: ['summary'] },
      {
        items: [item('wished', { kind: 'gate', gate: 'secrets' }, false), item('told', { kind: 'gate', gate: 'summary' }, false)],
      },
    )
    const severities = Object.fromEntries(required.map(({ gate, severity }) => [gate, severity]))
    expect({ secrets: severities.secrets, summary: severities.summary }).toEqual({ secrets: 'block', summary: 'block' })
  })

  it('names the nearest gate, item or phase when one is unknown', async () => {
    await expect(ask({ gates: ['chagne'] })).rejects.toThrow(
      'asks the gate "chagne", which does not exist (did you mean "change"?)',
    )
    await expect(ask({ items: ['nots'] }, { items: [item('notes', { kind: 'link', to: 'issue' })] })).rejects.toThrow(
      '(did you mean "notes"?)',
    )
    const config = defaultConfig()
    const method = await loadMethod(EMPTY, config)
    expect(() => requiredGates({ gates: resolveGates({ config }), config, method, pipeline: 'routine', phase: 'biuld' })).toThrow(
      'pipeline "routine" has no phase "biuld" (did you mean "build"?)',
    )
  })

  it('keeps in the log which gates only a person mends, the repository’s own among them', async () => {
    const own = `gates:
  - id: licence
    title: Licences
    why: b
    subject: tree
    mendedBy: person
    kind: { type: command, argv: ["true"] }
`
    const config = parseConfig(own)
    const method = await loadMethod(EMPTY, config)
    const { required } = requiredGates({ gates: resolveGates({ config }), config, method, pipeline: 'routine', phase: 'build' })
    const mended = required.filter(({ mendedBy }) => mendedBy === 'person').map(({ gate }) => gate)
    expect(mended).toEqual(['licence', 'protected-paths'])
  })

  it('can be told for every phase of every built-in pipeline', async () => {
    const config = parseConfig(YAML)
    const method = await loadMethod(EMPTY, config)
    const gates = resolveGates({ config })
    for (const pipeline of method.pipelines.values()) {
      for (const phase of pipeline.phases) {
        const { required } = requiredGates({ gates, config, method, pipeline, phase })
        expect(required.map(({ gate }) => gate)).toEqual(expect.arrayContaining([...GUARD_RAILS]))
      }
    }
    const asked = (phase: string) =>
      requiredGates({ gates, config, method, pipeline: 'routine', phase }).required.map(({ gate }) => gate)
    expect(asked('build')).toEqual(['change', 'lint', 'test', 'everywhere', ...GUARD_RAILS])
    expect(asked('deliver')).toEqual(['summary', 'lint', 'test', 'everywhere', ...GUARD_RAILS])
  })

  it('says which commands nobody named', () => {
    expect(unnamedCommands(parseConfig(YAML))).toEqual(['types', 'build'])
  })

  it.each(['size', 'test', 'types', 'commands', 'item-build-x'])('refuses a gate of the repository with the id %s', (id) => {
    const yaml = `commands: {test: [make]}\ngates:\n  - { id: ${id}, title: A, why: b, subject: tree, kind: { type: command, argv: [true] } }\n`
    expect(() => resolveGates({ config: parseConfig(yaml.replace('[true]', '["true"]')) })).toThrow(
      `the gate id "${id}" is taken`,
    )
  })
})

describe('a gate is weakened', () => {
  const spec = (more: Partial<GateSpecInput> = {}) =>
    GateSpec.parse({
      id: 'g',
      title: 'g',
      why: 'g',
      subject: 'tree',
      kind: { type: 'command', argv: ['make', 'check'] },
      timeoutMs: 1000,
      waiver: { allowed: true, roles: ['ops'], maxDays: 7 },
      versions: [['node', '--version']],
      needs: ['lint'],
      ...more,
    })
  const human = (more: object = {}) => spec({ kind: { type: 'human', question: '?', quorum: 2, roles: ['ops'], ...more } })
  const artifact = (more: object = {}) =>
    spec({ kind: { type: 'artifact', paths: ['a', 'b'], schema: ['x'], minContent: 20, ...more } })
  const kofn = (more: object = {}) => spec({ kind: { type: 'kofn', k: 2, of: ['a', 'b', 'c'], ...more } })

  const weaker: [string, GateSpec, GateSpec][] = [
    ['it only warns now', spec(), spec({ severity: 'warn' })],
    ['it runs another command', spec(), spec({ kind: { type: 'command', argv: ['make', 'less'] } })],
    ['it runs in another folder', spec(), spec({ kind: { type: 'command', argv: ['make', 'check'], cwd: 'x' } })],
    ['exit 1 passes now', spec(), spec({ kind: { type: 'command', argv: ['make', 'check'], okExit: [0, 1] } })],
    ['it looks at fewer paths', spec(), spec({ scope: { include: ['src/**'] } })],
    ['it no longer looks at tests/**', spec(), spec({ scope: { exclude: ['tests/**'] } })],
    ['its time is cut to 999 ms', spec(), spec({ timeoutMs: 999 })],
    ['it is asked in fewer modes', spec(), spec({ modes: ['build'] })],
    ['it is no longer asked at pull-request', spec(), spec({ stages: ['advance'] })],
    ['it no longer needs lint', spec(), spec({ needs: [] })],
    ['it may be overridden now', spec({ waiver: { allowed: false } }), spec({ waiver: { allowed: true } })],
    ['an override lasts longer', spec(), spec({ waiver: { allowed: true, roles: ['ops'], maxDays: 8 } })],
    ['more roles may override it', spec(), spec({ waiver: { allowed: true, roles: ['ops', 'lab'], maxDays: 7 } })],
    ['more roles may override it', spec(), spec({ waiver: { allowed: true, roles: [], maxDays: 7 } })],
    ['its results are kept across versions of its tools', spec(), spec({ versions: [] })],
    ['its results are about the range now, not the tree', spec(), spec({ subject: 'range' })],
    ['its results may be repeated now', spec({ cache: false }), spec()],
    ['it is artifact now, not command', spec(), artifact()],
    ['b is no longer asked', artifact(), artifact({ paths: ['a'] })],
    ['the key x is no longer asked', artifact(), artifact({ schema: [] })],
    ['19 words are enough now', artifact(), artifact({ minContent: 19 })],
    ['1 approvals are enough now', human(), human({ quorum: 1 })],
    ['more roles may approve', human(), human({ roles: [] })],
    ['1 of its gates are enough now', kofn(), kofn({ k: 1 })],
    ['it counts other gates', kofn(), kofn({ of: ['a', 'b', 'd'] })],
  ]
  it.each(weaker)('when %s', (reason, before, after) => {
    expect(weakened(before, after)).toEqual([reason])
    expect(weakened(before, before)).toEqual([])
  })

  const stronger: [string, GateSpec, GateSpec][] = [
    ['it blocks', spec({ severity: 'warn' }), spec()],
    [
      'it takes fewer exit codes',
      spec({ kind: { type: 'command', argv: ['a'], okExit: [0, 1] } }),
      spec({ kind: { type: 'command', argv: ['a'] } }),
    ],
    ['it looks at more', spec({ scope: { include: ['a'], exclude: ['b'] } }), spec()],
    ['it has more time', spec(), spec({ timeoutMs: 2000 })],
    ['it needs more', spec(), spec({ needs: ['lint', 'types'] })],
    [
      'fewer may override it',
      spec({ waiver: { allowed: true } }),
      spec({ waiver: { allowed: true, roles: ['ops'], maxDays: 7 } }),
    ],
    ['its words change', spec(), spec({ title: 'other', why: 'other' })],
    ['more have to approve', human(), human({ quorum: 3 })],
  ]
  it.each(stronger)('not when %s', (_, before, after) => {
    expect(weakened(before, after)).toEqual([])
  })
})

describe('globs', () => {
  const cases: [string, string, boolean][] = [
    ['.husky/**', '.husky/pre-commit', true],
    ['.husky/**', '.husky/_/husky.sh', true],
    ['.husky/**', 'a/.husky/pre-commit', false],
    ['*.md', 'docs/a.md', false],
    ['**/*.md', 'a.md', true],
    ['**/*.md', 'docs/deep/a.md', true],
    ['src/{a,b}.ts', 'src/b.ts', true],
    ['src/?.ts', 'src/ab.ts', false],
    ['a.c', 'abc', false],
    ['/a', 'a', true],
    ['docs', 'docs/a.md', false],
    ['a[1]+(b)', 'a[1]+(b)', true],
  ]
  it.each(cases)('%s against %s', (glob, path, expected) => {
    expect(matchesAny(path, [glob])).toBe(expected)
  })

  it('make a scope of what is included and not excluded', () => {
    expect(inScope('src/a.ts', { include: [], exclude: ['docs/**'] })).toBe(true)
    expect(inScope('docs/a.ts', { include: [], exclude: ['docs/**'] })).toBe(false)
    expect(inScope('docs/a.ts', { include: ['src/**'], exclude: [] })).toBe(false)
  })
})
