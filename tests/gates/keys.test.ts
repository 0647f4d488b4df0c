import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GateResult, GateSpec } from '../../core/contracts/gate.ts'
import { GateSpec as Schema } from '../../core/contracts/gate.ts'
import { type JudgeContext, judgeGate, subjectDigest } from '../../gates/index.ts'
import { ARTIFACTS, type Bench, FOLDER, gateOf, openBench, TICKET } from './context.ts'

const YAML = 'commands:\n  test: [node, check.mjs]\n'
const WORDS =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'

describe('a result', () => {
  it('is repeated where all inputs are the same, and says which result it repeats', async () => {
    const { bench, spec, first } = await judged('test')
    const again = await judgeGate(spec, await bench.context({ yaml: YAML, results: [first], ids: later() }))
    expect(again).toEqual({ ...first, id: again.id, reusedFrom: first.id, at: again.at })
    const third = await judgeGate(spec, await bench.context({ yaml: YAML, results: [first, again], ids: later() }))
    expect(third.reusedFrom).toBe(first.id)
  })

  it('is not repeated when it found nothing out, nor where the gate forbids it', async () => {
    const { bench, spec, first } = await judged('test')
    const judgeWith = async (result: GateResult, gate: GateSpec = spec) =>
      (await judgeGate(gate, await bench.context({ yaml: YAML, results: [result] }))).reusedFrom
    expect(await judgeWith({ ...first, verdict: 'inconclusive' })).toBeUndefined()
    expect(await judgeWith({ ...first, verdict: 'waived' })).toBeUndefined()
    const uncached = { ...spec, cache: false }
    const own = await judgeGate(uncached, await bench.context({ yaml: YAML }))
    expect(await judgeWith(own, uncached)).toBeUndefined()
    for (const subject of ['session', 'human', 'external'] as const) {
      const gate = { ...spec, subject }
      const result = await judgeGate(gate, await bench.context({ yaml: YAML }))
      expect(await judgeWith(result, gate)).toBeUndefined()
    }
  })

  it('is not repeated once the tools it names answer otherwise', async () => {
    const bench = await openBench({ 'check.mjs': 'process.exit(0)\n' })
    await bench.work({ 'a.txt': 'a\n' })
    const tool = join(bench.repository.outside, 'tool')
    const spec = { ...gateOf(await bench.context({ yaml: YAML }), 'test'), versions: [[tool, '--version']] }
    const judge = async (answer: string, results: GateResult[] = []) => {
      await writeFile(tool, `#!/bin/sh\necho ${answer}\n`, { mode: 0o755 })
      return judgeGate(spec, await bench.context({ yaml: YAML, results }))
    }
    const first = await judge('1.0')
    expect((await judge('1.0', [first])).reusedFrom).toBe(first.id)
    expect((await judge('2.0', [first])).reusedFrom).toBeUndefined()
  })

  type Change = {
    name: string
    gate: string
    change: (bench: Bench, spec: GateSpec) => Promise<unknown>
  }
  const changes: Change[] = [
    { name: 'the tree', gate: 'test', change: (bench) => bench.work({ 'src/main.mjs': 'export {}\n' }) },
    { name: 'the mode of a file', gate: 'test', change: (bench) => chmod(bench) },
    { name: 'the gate’s definition', gate: 'test', change: async (_, spec) => ({ spec: { ...spec, timeoutMs: 1234 } }) },
    {
      name: 'its program',
      gate: 'test',
      change: async (_, spec) => ({ spec: { ...spec, kind: { type: 'command', argv: ['node', './check.mjs'], okExit: [0] } } }),
    },
    {
      name: 'the version of its tools',
      gate: 'test',
      change: async (_, spec) => ({ spec: { ...spec, versions: [['node', '-p', '1']] } }),
    },
    {
      name: 'a variable that is let through',
      gate: 'env',
      change: async () => ({ more: { env: { PATH: process.env.PATH ?? '', LET_IN: 'two' } } }),
    },
    {
      name: 'the language',
      gate: 'test',
      change: async () => ({ more: { env: { PATH: process.env.PATH ?? '', LANG: 'de_DE.UTF-8' } } }),
    },
    {
      name: 'the set-up of checkouts',
      gate: 'test',
      change: async () => ({ more: { yaml: `${YAML}workspace:\n  setup: [[node, --version]]\n` } }),
    },
    {
      name: 'an artifact',
      gate: 'artifact',
      change: (bench) => bench.work({ [`${ARTIFACTS}/notes.md`]: `${WORDS} more\n` }),
    },
    {
      name: 'the ticket’s metadata',
      gate: 'artifact',
      change: (bench) => bench.work({ [`${FOLDER}/ticket.md`]: '# Other\n' }),
    },
    {
      name: 'the template',
      gate: 'artifact',
      change: async (bench) => ({ more: { method: await withTemplate(bench, 'other') } }),
    },
    {
      name: 'a file outside its subject',
      gate: 'stray',
      change: (bench) => bench.work({ [`${ARTIFACTS}/notes.md`]: `${WORDS} more\n` }),
    },
    {
      name: 'the number',
      gate: 'metric',
      change: (bench) => bench.work({ [`${ARTIFACTS}/eval.json`]: '{"f1": 0.92}' }),
    },
    {
      name: 'the baseline',
      gate: 'metric',
      change: (bench) => bench.work({ 'baseline.json': '{"f1": 0.81}' }),
    },
    {
      name: 'the head of a range',
      gate: 'size',
      change: (bench) => bench.work({ [`${FOLDER}/x.md`]: 'x\n' }),
    },
    {
      name: 'the base of a range',
      gate: 'size',
      change: async (bench) => ({ more: { base: await bench.repository.git.text(['rev-parse', 'HEAD~1']) } }),
    },
    { name: 'the limit of sizes', gate: 'size', change: async () => ({ more: { yaml: `${YAML}size:\n  maxBytes: 9000000\n` } }) },
    { name: 'the limit of data', gate: 'lfs', change: async () => ({ more: { yaml: `${YAML}size:\n  warnBytes: 9000\n` } }) },
    {
      name: 'the commits on the way to the same tree',
      gate: 'secrets',
      change: (bench) => detour(bench),
    },
    {
      name: 'a commit message',
      gate: 'commit-message',
      change: (bench) => bench.repository.git.run(['commit', '--amend', '-qm', 'Other words']),
    },
    { name: 'the ticket', gate: 'commit-message', change: async () => ({ more: { ticket: 'build_43' } }) },
    {
      name: 'the style of messages',
      gate: 'commit-message',
      change: async () => ({ more: { yaml: `${YAML}commits:\n  conventional: true\n` } }),
    },
    { name: 'the tip of the base', gate: 'frozen', change: async (bench) => ({ more: { base: await sibling(bench) } }) },
    {
      name: 'whether the scope is touched',
      gate: 'scoped',
      change: async (bench) => ({ more: { base: await bench.repository.git.text(['rev-parse', 'HEAD']) } }),
    },
  ]

  it.each(changes)('of $gate is refused once $name changes', async ({ gate, change }) => {
    const { bench, spec, first, options } = await judged(gate)
    expect((await judgeGate(spec, await bench.context({ ...options, results: [first] }))).reusedFrom).toBe(first.id)
    const { spec: other = spec, more = {} } = ((await change(bench, spec)) ?? {}) as {
      spec?: GateSpec
      more?: Parameters<Bench['context']>[0]
    }
    const after = await judgeGate(other, await bench.context({ ...options, ...more, results: [first] }))
    expect({ reused: after.reusedFrom, sameKey: after.key === first.key }).toEqual({ reused: undefined, sameKey: false })
  })
})

describe('evidence over the operations of git', () => {
  /** Arguments for git, a sequence editor for an interactive rebase, files to write, or files that the default branch gets. */
  type Step = readonly string[] | { rebase: string } | { write: Record<string, string> } | { onMain: Record<string, string> }
  const branch = `phase/${TICKET}`
  const moved: Step = { onMain: { 'other.txt': 'x\n' } }
  const picked: Step[] = [
    ['switch', '-qC', 'other', 'main'],
    ['cherry-pick', `main..${branch}`],
  ]
  const squashed: Step[] = [
    ['switch', '-q', 'main'],
    ['merge', '-q', '--squash', branch],
    ['commit', '-qm', 'Squashed'],
  ]
  const merged: Step[] = [
    ['switch', '-q', 'main'],
    ['merge', '-q', '--no-ff', '--no-edit', branch],
  ]
  const reverted: Step = ['revert', '--no-edit', 'HEAD']
  const record: Step[] = [{ write: { [`${FOLDER}/ticket.md`]: '# Record\n' } }, ['commit', '-qam', 'Record']]
  const rows: { name: string; same: boolean; steps: readonly Step[] }[] = [
    {
      name: 'amend with the same tree',
      same: true,
      steps: [['commit', '--amend', '-q', '--no-edit', '--date=2026-02-02T00:00:00Z']],
    },
    { name: 'amend with another message', same: true, steps: [['commit', '--amend', '-qm', 'Other words']] },
    { name: 'rebase that rewords', same: true, steps: [{ rebase: 's/^pick/reword/' }] },
    { name: 'squash of two commits into one', same: true, steps: [{ rebase: '2s/^pick/squash/' }] },
    { name: 'fixup of two commits into one', same: true, steps: [{ rebase: '2s/^pick/fixup/' }] },
    { name: 'cherry-pick onto the same base', same: true, steps: picked },
    { name: 'squash merge into a branch that stood still', same: true, steps: squashed },
    { name: 'merge commit into a branch that stood still', same: true, steps: merged },
    { name: 'revert of a revert', same: true, steps: [reverted, reverted] },
    { name: 'commit that touches only the ticket’s record', same: true, steps: record },
    {
      name: 'amend with new content',
      same: false,
      steps: [{ write: { 'src/main.mjs': 'export {}\n' } }, ['commit', '-aq', '--amend', '--no-edit']],
    },
    { name: 'rebase onto a base that moved', same: false, steps: [moved, ['rebase', '-q', 'main']] },
    { name: 'cherry-pick onto a base that moved', same: false, steps: [moved, ...picked] },
    { name: 'squash merge into a base that moved', same: false, steps: [moved, ...squashed] },
    { name: 'merge of a base that moved', same: false, steps: [moved, ['merge', '-q', '--no-edit', 'main']] },
    { name: 'revert', same: false, steps: [reverted] },
  ]
  const take = async (bench: Bench, step: Step) => {
    const { git } = bench.repository
    if ('rebase' in step) {
      const env = { GIT_SEQUENCE_EDITOR: `sed -i -e '${step.rebase}'` }
      await git.run(['rebase', '-q', '-i', bench.base], { env })
    } else if ('write' in step) await bench.repository.write(step.write)
    else if ('onMain' in step) {
      await git.run(['switch', '-q', 'main'])
      await bench.repository.commit(step.onMain, 'Move on')
      await git.run(['switch', '-q', branch])
    } else await git.run(step)
  }

  it.each(rows)('$name: present is $same', async ({ steps, same }) => {
    const { bench, spec, first } = await judged('test')
    for (const step of steps) await take(bench, step)
    const after = await judgeGate(spec, await bench.context({ yaml: YAML, results: [first] }))
    expect(after.reusedFrom).toBe(same ? first.id : undefined)
  })

  it('what was judged while staged still holds once it is committed', async () => {
    const bench = await openBench({ 'check.mjs': 'process.exit(0)\n' })
    await bench.repository.write({ 'src/main.mjs': 'export const answer = 42\n' })
    await bench.repository.git.run(['add', '--all'])
    const index = await bench.repository.git.text(['write-tree'])
    const staged: GateSpec = { ...gateOf(await bench.context({ yaml: YAML }), 'test'), subject: 'staged' }
    const first = await judgeGate(staged, await bench.context({ yaml: YAML, head: index }))
    expect(first.verdict).toBe('pass')
    const head = await bench.work({})
    expect((await judgeGate(staged, await bench.context({ yaml: YAML, results: [first] }))).reusedFrom).toBe(first.id)
    const of = { git: bench.repository.git, from: bench.base, ticket: TICKET }
    expect(await subjectDigest('staged', { ...of, head: index })).toBe(await subjectDigest('tree', { ...of, head }))
  })
})

/** Judges a gate on a branch of two commits that has something for every kind of gate. */
async function judged(gate: string) {
  const bench = await openBench({ 'check.mjs': 'process.exit(0)\n', 'baseline.json': '{"f1": 0.8}' })
  await bench.work({ 'src/main.mjs': 'export const answer = 42\n', [`${FOLDER}/ticket.md`]: '# Ticket\n' })
  await bench.work({
    'src/more.mjs': 'export {}\n',
    [`${ARTIFACTS}/notes.md`]: `${WORDS}\n`,
    [`${ARTIFACTS}/eval.json`]: '{"f1": 0.91}',
  })
  const options: Partial<JudgeContext> & { yaml: string } = {
    yaml: gate === 'env' ? `${YAML}workspace:\n  env: [LET_IN]\n` : YAML,
    ...(gate === 'artifact' ? { method: await withTemplate(bench, 'template') } : {}),
  }
  const context = await bench.context(options)
  const spec = specs(context)[gate] ?? gateOf(context, gate)
  const first = await judgeGate(spec, context)
  expect(first.verdict).toBe('pass')
  return { bench, spec, first, options }
}

function specs(context: JudgeContext): Record<string, GateSpec> {
  const test = gateOf(context, 'test')
  const notes = { type: 'artifact' as const, paths: ['{artifacts}/notes.md'], template: 'use-case.md' }
  const rule = { op: '>=' as const, value: 0.9, baseline: { file: 'baseline.json', path: 'f1' } }
  const own = { title: 'A gate', why: 'a test' }
  return {
    env: test,
    artifact: Schema.parse({ ...own, id: 'artifact', kind: notes, subject: 'ticket' }),
    stray: Schema.parse({ ...own, id: 'stray', kind: { ...notes, template: undefined }, subject: 'tree' }),
    metric: Schema.parse({
      ...own,
      id: 'metric',
      kind: { type: 'metric', file: '{artifacts}/eval.json', path: 'f1', rule },
      subject: 'ticket',
    }),
    scoped: { ...test, id: 'scoped', scope: { include: ['src/**'], exclude: [] } },
  }
}

async function withTemplate(bench: Bench, text: string): Promise<JudgeContext['method']> {
  const { method } = await bench.context()
  return { ...method, templates: new Map([...method.templates, ['use-case.md', text]]) }
}

function later() {
  let count = 0
  return { ulid: () => `01J1${String(++count).padStart(22, '0')}` }
}

async function chmod(bench: Bench): Promise<void> {
  await bench.repository.git.run(['update-index', '--chmod=+x', 'check.mjs'])
  await bench.repository.git.run(['commit', '-qm', 'Make it run'])
}

/** Another history to the same tree. */
async function detour(bench: Bench): Promise<void> {
  await bench.repository.git.run(['reset', '-q', '--soft', bench.base])
  await bench.repository.git.run(['commit', '-qm', `In one\n\nValuetrain-Ticket: ${TICKET}`])
}

/** A commit beside the branch, so that the merge base stays what it was. */
async function sibling(bench: Bench): Promise<string> {
  const { git } = bench.repository
  const tree = await git.text(['rev-parse', 'HEAD^{tree}'])
  return git.text(['commit-tree', tree, '-p', bench.base, '-m', 'Beside'])
}
