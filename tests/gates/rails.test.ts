import { describe, expect, it } from 'vitest'
import { defaultConfig } from '../../core/config.ts'
import { GateSpec, type GateSpecInput } from '../../core/contracts/gate.ts'
import { unexplainedMoves } from '../../gates/builtin/session-conflict.ts'
import { type JudgeContext, judgeGate, judgeGates, requiredGates, resolveGates, workDigest } from '../../gates/index.ts'
import { type Bench, entriesOf, event, FOLDER, gateOf, openBench, opening, sessionFiles, TICKET } from './context.ts'

const ADA = { kind: 'human' as const, role: 'evaluator' as const, name: 'Ada Tester' }

async function verdictOf(gate: string, context: JudgeContext) {
  const { verdict, findings } = await judgeGate(gateOf(context, gate), context)
  return { verdict, rules: [...new Set(findings.map(({ rule, severity }) => `${severity} ${rule}`))] }
}

describe('protected paths', () => {
  const turn = '01J0000000000000000000TVRN'
  const intent = (events: ReturnType<typeof opening>) =>
    entriesOf(opening(...events)).find(({ type }) => type === 'WORK_INTENDED')?.id ?? ''

  async function judge(runtime: string, more: (bench: Bench) => Promise<unknown> = async () => {}) {
    const bench = await openBench()
    const commit = await bench.work({ '.husky/pre-commit': 'exit 0\n' })
    await more(bench)
    const begun = [
      event('TURN_STARTED', { turn, phase: 'build', attempt: 1, runtime, from: bench.base }),
      event('WORK_INTENDED', { phase: 'build', attempt: 1, turn }),
    ]
    const committed = event('WORK_COMMITTED', { intent: intent(begun), commit, subject: commit, files: 1, added: 1, removed: 0 })
    return verdictOf('protected-paths', await bench.context({ entries: entriesOf(opening(...begun, committed)) }))
  }

  it('may be changed in a turn of a person, and by nobody else', async () => {
    expect(await judge('person')).toEqual({ verdict: 'pass', rules: [] })
    expect(await judge('recipe')).toEqual({ verdict: 'fail', rules: ['error protected-path'] })
  })

  it('are an agent’s once another commit has touched them, too', async () => {
    expect((await judge('person', (bench) => bench.work({ '.husky/pre-commit': 'exit 1\n' }))).verdict).toBe('fail')
    expect((await judge('person', (bench) => bench.work({ 'a.txt': 'a\n' }))).verdict).toBe('pass')
  })

  it('are those of the base’s configuration, whatever the change says', async () => {
    const bench = await openBench()
    await bench.work({ '.valuetrain/config.yaml': 'protected: []\n' })
    expect((await verdictOf('protected-paths', await bench.context())).verdict).toBe('fail')
  })
})

describe('definitions', () => {
  const docs = (more = '') =>
    `gates:\n  - { id: docs, title: A, why: b, subject: tree, kind: { type: command, argv: [node, docs.mjs]${more} } }\n`
  const base = {
    '.valuetrain/config.yaml': `commands: { lint: [npm, run, lint] }\n${docs()}`,
    'docs.mjs': 'process.exit(0)\n',
    'package.json': '{"scripts": {"lint": "node lint.mjs", "other": "x"}}\n',
  }
  const cases: { name: string; files: Record<string, string>; rules: string[]; verdict?: string }[] = [
    { name: 'a script that a gate runs', files: { 'docs.mjs': 'process.exit(0) // always\n' }, rules: ['error gate-weakened'] },
    {
      name: 'the package script behind a gate',
      files: { 'package.json': '{"scripts": {"lint": "true", "other": "x"}}\n' },
      rules: ['error gate-weakened'],
    },
    {
      name: 'another package script',
      files: { 'package.json': '{"scripts": {"lint": "node lint.mjs", "other": "y"}}\n' },
      rules: [],
    },
    {
      name: 'a gate taken out',
      files: { '.valuetrain/config.yaml': 'commands: { lint: [npm, run, lint] }\n' },
      rules: ['error gate-weakened'],
    },
    { name: 'a command taken out', files: { '.valuetrain/config.yaml': docs() }, rules: ['error gate-weakened'] },
    {
      name: 'a gate that is new',
      files: { '.valuetrain/config.yaml': `commands: { lint: [npm, run, lint], test: [npm, test] }\n${docs()}` },
      rules: ['notice gate-changed'],
    },
    {
      name: 'a larger limit',
      files: { '.valuetrain/config.yaml': `${base['.valuetrain/config.yaml']}size: { maxBytes: 6000000 }\n` },
      rules: ['error gate-weakened'],
    },
    {
      name: 'fewer protected paths',
      files: { '.valuetrain/config.yaml': `${base['.valuetrain/config.yaml']}protected: []\n` },
      rules: ['error gate-weakened'],
    },
    {
      name: 'a configuration that cannot be read',
      files: { '.valuetrain/config.yaml': 'comands: {}\n' },
      rules: ['error definitions-broken'],
    },
    {
      name: 'a pipeline that asks less',
      files: {
        '.valuetrain/pipelines/routine.yaml':
          'schema: 1\nid: routine\ntitle: R\npurpose: less\nphases:\n  - { name: build, mode: build, child: dev, role: studio, artifacts: [], items: [], gates: [] }\n  - { name: evaluate, mode: evaluate, child: qa, role: evaluator, works: false, joined: true, artifacts: [], items: [], gates: [] }\n  - { name: deliver, mode: deliver, role: studio, works: false, joined: true, artifacts: [], items: [], gates: [summary], next: null }\n',
      },
      rules: ['error gate-weakened'],
    },
    { name: 'nothing of a gate', files: { 'src/main.mjs': 'export {}\n' }, rules: [] },
  ]
  it.each(cases)('tell of $name: $rules', async ({ files, rules }) => {
    const bench = await openBench(base)
    await bench.work(files)
    const found = await verdictOf('definitions', await bench.context())
    expect(found).toEqual({ verdict: rules.some((rule) => rule.startsWith('error')) ? 'fail' : 'pass', rules })
  })

  it('may be weakened with the approval of a person, and still say so', async () => {
    const bench = await openBench(base)
    await bench.work({ 'docs.mjs': 'process.exit(0) // always\n' })
    const subject = await workDigest({ git: bench.repository.git, head: 'HEAD', ticket: TICKET })
    const entries = entriesOf(opening(event('APPROVED', { actor: ADA, gate: 'definitions', subject, channel: 'review' })))
    expect(await verdictOf('definitions', await bench.context({ entries }))).toEqual({
      verdict: 'pass',
      rules: ['notice gate-weakened'],
    })
  })
})

describe('an approval of protected paths where a forge knows logins', () => {
  const via = { id: '7', login: 'ada', permission: 'write' as const }
  const cases = [
    { name: 'a review by a login that may write', said: { channel: 'review', via }, verdict: 'pass' },
    { name: 'a comment by a login that may write', said: { channel: 'comment', via }, verdict: 'pass' },
    { name: 'a terminal', said: { channel: 'terminal' }, verdict: 'fail' },
    {
      name: 'a review by a login that may only read',
      said: { channel: 'review', via: { ...via, permission: 'read' } },
      verdict: 'fail',
    },
    { name: 'a review that names no login', said: { channel: 'review' }, verdict: 'fail' },
  ] as const
  it.each(cases)('through $name: $verdict', async ({ said, verdict }) => {
    const bench = await openBench()
    await bench.work({ '.github/workflows/ci.yml': 'on: push\n' })
    const subject = await workDigest({ git: bench.repository.git, head: 'HEAD', ticket: TICKET })
    const entries = entriesOf(opening(event('APPROVED', { actor: ADA, gate: 'protected-paths', subject, ...said })))
    const config = { ...defaultConfig(), forge: 'github' as const }
    expect((await verdictOf('protected-paths', await bench.context({ entries, config }))).verdict).toBe(verdict)
  })
})

describe('required items inside a phase', () => {
  const item = (id: string, required = true) => ({
    id,
    text: id,
    required,
    evidence: { kind: 'metric' as const, file: `${id}.json`, path: 'n', rule: { op: '>=' as const, value: 1 } },
  })

  async function judge(files: Record<string, string>) {
    const bench = await openBench()
    await bench.work({ 'a.txt': 'a\n', ...files })
    const context = await bench.context({ pipeline: 'own', phase: 'build' })
    const mode = context.method.modes.get('build')
    if (!mode) throw new Error('no build mode')
    const phase = { name: 'build', mode: 'build' as const, works: true, joined: false, children: false, artifacts: [], gates: [] }
    const method = {
      ...context.method,
      modes: new Map([
        ...context.method.modes,
        ['build' as const, { ...mode, entry: [], exit: [], checklist: [item('first'), item('second'), item('wish', false)] }],
      ]),
      pipelines: new Map([['own', { schema: 1 as const, id: 'own', title: 'Own', purpose: 'a test', phases: [phase] }]]),
    }
    const { specs } = requiredGates({
      gates: resolveGates(context),
      config: context.config,
      method,
      pipeline: 'own',
      phase: 'build',
    })
    const results = await judgeGates(specs, { ...context, method })
    return results.find(({ gate }) => gate === 'required-items')
  }

  it('are done when the gates that show them hold, in the same round', async () => {
    expect(await judge({ 'first.json': '{"n": 1}', 'second.json': '{"n": 1}' })).toMatchObject({ verdict: 'pass' })
  })

  it('are named while they are open', async () => {
    expect(await judge({ 'first.json': '{"n": 1}', 'second.json': '{"n": 0}' })).toMatchObject({
      verdict: 'fail',
      reasons: ['item "second" is open: item-build-second is fail'],
    })
  })
})

describe('a delivered ticket', () => {
  const delivered = event('DELIVERED', { base: 'b'.repeat(40), head: 'c'.repeat(40), merge: 'd'.repeat(40), verdicts: [] })
  const session = sessionFiles([...opening(), delivered])
  const file = Object.keys(session)[0] ?? ''

  const later: { name: string; files: Record<string, string>; verdict: string }[] = [
    { name: 'a file more', files: { [`${FOLDER}/artifacts/late.md`]: 'late\n' }, verdict: 'fail' },
    { name: 'a cut session', files: { [file]: (session[file] ?? '').slice(0, -200) }, verdict: 'fail' },
    { name: 'another ticket', files: { '.valuetrain/tickets/build_43/ticket.md': 'new\n' }, verdict: 'pass' },
  ]
  it.each(later)('is $verdict with $name', async ({ files, verdict }) => {
    const bench = await openBench(session)
    await bench.work(files)
    expect((await verdictOf('frozen', await bench.context())).verdict).toBe(verdict)
  })

  it('may be on its own branch what it is on the base, after a squash merge', async () => {
    const bench = await openBench()
    await bench.work(session)
    const { git } = bench.repository
    await git.run(['switch', '-q', 'main'])
    await git.run(['merge', '-q', '--squash', `phase/${TICKET}`])
    await git.run(['commit', '-qm', 'Squashed'])
    const base = await git.text(['rev-parse', 'HEAD'])
    await git.run(['switch', '-q', `phase/${TICKET}`])
    expect((await verdictOf('frozen', await bench.context({ base }))).verdict).toBe('pass')
    await bench.work({ [`${FOLDER}/ticket.md`]: 'after the fact\n' })
    expect((await verdictOf('frozen', await bench.context({ base }))).verdict).toBe('fail')
  })
})

describe('what a session’s own events explain', () => {
  const entered = (phase: string, mode: 'build' | 'evaluate' | 'deliver') =>
    event('PHASE_ENTERED', { phase, mode, role: 'studio', attempt: 1, required: [], works: true })
  const decided = (to?: string) =>
    event('DECIDED', { phase: 'x', attempt: 1, outcome: 'advance', code: 'gates-passed', reasons: [], ...(to ? { to } : {}) })
  const delivered = event('DELIVERED', { base: 'b'.repeat(40), head: 'c'.repeat(40), merge: 'd'.repeat(40), verdicts: [] })
  const moves = (...events: ReturnType<typeof opening>) => unexplainedMoves(entriesOf(opening(...events)))

  it('is the way forward, a step back, another attempt and a reopening', () => {
    expect(moves(entered('build', 'build'), decided('evaluate'), entered('evaluate', 'evaluate'))).toEqual([])
    expect(moves(decided('evaluate'), entered('evaluate', 'evaluate'), decided('build'), entered('build', 'build'))).toEqual([])
    expect(moves(delivered, event('REOPENED', { reason: 'base moved' }), entered('build', 'build'))).toEqual([])
  })

  it('is not a phase nobody decided on, an edge that is not there, or work after the end', () => {
    expect(moves(entered('evaluate', 'evaluate'))).toEqual(['nothing decided to enter phase evaluate'])
    expect(moves(decided('evaluate'), entered('deliver', 'evaluate'))).toEqual(['nothing decided to enter phase deliver'])
    expect(moves(decided('deliver'), entered('deliver', 'deliver'))).toEqual(['there is no way from build to deliver'])
    expect(moves(delivered, entered('build', 'build'))).toEqual(['phase build was entered after DELIVERED'])
  })

  it('is not a change of the metadata without an entry', async () => {
    const ticket = (phase: string) => ({ [`${FOLDER}/ticket.md`]: `---\nphase: ${phase}\nmode: build\n---\n# Ticket\n` })
    const bench = await openBench({ ...sessionFiles(opening()), ...ticket('build') })
    await bench.work(ticket('deliver'))
    expect(await verdictOf('session-conflict', await bench.context())).toEqual({
      verdict: 'fail',
      rules: ['error session-conflict'],
    })
  })
})

describe('small rules', () => {
  it('commit messages are conventional where that is configured, merges aside', async () => {
    const bench = await openBench()
    await bench.work({ 'a.txt': 'a\n' }, `Add a file\n\nValuetrain-Ticket: ${TICKET}\n`)
    const yaml = 'commits: { conventional: true }\n'
    expect(await verdictOf('commit-message', await bench.context({ yaml }))).toEqual({
      verdict: 'fail',
      rules: ['error conventional'],
    })
    await bench.repository.git.run(['commit', '-q', '--amend', '-m', `feat(core)!: add a file\n\nValuetrain-Ticket: ${TICKET}\n`])
    expect((await verdictOf('commit-message', await bench.context({ yaml }))).verdict).toBe('pass')
    const message = 'feat: x\n\nSome words\n'
    expect((await verdictOf('commit-message', await bench.context({ yaml, stage: 'commit-msg', message }))).rules).toEqual([
      'error ticket-trailer',
    ])
  })

  it('a scope that is not touched makes a command not applicable, never an artifact', async () => {
    const bench = await openBench()
    await bench.work({ 'docs/a.md': 'a\n' })
    const scope = { include: ['src/**'] }
    const make = (kind: GateSpecInput['kind']) => GateSpec.parse({ id: 'g', title: 'g', why: 'g', subject: 'tree', kind, scope })
    const context = await bench.context()
    expect((await judgeGate(make({ type: 'command', argv: ['node', '-e', 'process.exit(1)'] }), context)).verdict).toBe(
      'not-applicable',
    )
    expect((await judgeGate(make({ type: 'artifact', paths: ['src/missing.md'] }), context)).verdict).toBe('fail')
  })

  it('prose may name a path that is nobody’s here, with a warning', async () => {
    const bench = await openBench()
    await bench.work({ [`${FOLDER}/artifacts/deploy.md`]: 'The file lies in /etc/orders/config.json\n' })
    expect(await verdictOf('privacy', await bench.context())).toEqual({ verdict: 'pass', rules: ['warning private-path'] })
    await bench.work({ [`${FOLDER}/artifacts/deploy.md`]: `The file lies in ${bench.repository.dir}/config.json\n` })
    expect((await verdictOf('privacy', await bench.context())).verdict).toBe('fail')
  })

  it('a branch of a ticket that writes another ticket’s folder is told so', async () => {
    const bench = await openBench()
    await bench.work({ '.valuetrain/tickets/build_43/ticket.md': '# Not ours\n' })
    expect((await judgeGate(gateOf(await bench.context(), 'branch-name'), await bench.context())).reasons).toEqual([
      'phase/build_42 also writes the folder of build_43',
    ])
  })

  it('artifacts hold text and small images only', async () => {
    const bench = await openBench()
    const { mkdir, writeFile } = await import('node:fs/promises')
    await mkdir(`${bench.repository.dir}/${FOLDER}/artifacts`, { recursive: true })
    await writeFile(`${bench.repository.dir}/${FOLDER}/artifacts/model.bin`, Buffer.from([0, 1, 2]))
    await writeFile(`${bench.repository.dir}/${FOLDER}/artifacts/plot.png`, Buffer.from([0, 1, 2]))
    await bench.work({})
    expect(await verdictOf('size', await bench.context())).toEqual({ verdict: 'fail', rules: ['error artifact-kind'] })
  })

  it('a large file that a later commit removes is still in the history', async () => {
    const bench = await openBench()
    await bench.work({ 'big.txt': 'x'.repeat(3000) })
    await bench.repository.git.run(['rm', '-q', 'big.txt'])
    await bench.work({ 'a.txt': 'a\n' })
    expect(await verdictOf('size', await bench.context({ yaml: 'size: { maxBytes: 2000 }\n' }))).toEqual({
      verdict: 'fail',
      rules: ['error too-large'],
    })
  })
})
