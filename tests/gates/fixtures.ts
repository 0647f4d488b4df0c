import { sha256 } from '../../core/canonical.ts'
import type { GateResult } from '../../core/contracts/gate.ts'
import { subjectTree } from '../../core/tree.ts'
import type { JudgeContext } from '../../gates/index.ts'
import { renderChecklist } from '../../modes/index.ts'
import { blankEntry, renderSegment } from '../../sessions/index.ts'
import {
  ARTIFACTS,
  entriesOf,
  event,
  FOLDER,
  openBench,
  opening,
  parseSegment,
  segmentWith,
  sessionFiles,
  TICKET,
} from './context.ts'

/** What must turn a gate red and what must not. */
export interface Fixture {
  gate: string
  /** Rule of the finding that names the fault; none for gates that run a command. */
  rule?: string
  bad(): Promise<JudgeContext>
  good(): Promise<JudgeContext>
}

const DELIVERED = event('DELIVERED', { base: 'b'.repeat(40), head: 'c'.repeat(40), merge: 'd'.repeat(40), verdicts: [] })
const OWN_WORDS =
  'The service reads orders from the queue, checks each against the price list of the day, and writes what does not fit into a report that the sales team opens every morning.'

/** Put together here, so that no text of this file looks like a key. */
const TOKEN = ['gh', 'p_', sha256('a token').slice(0, 36)].join('')

const checklist = (...done: boolean[]) =>
  renderChecklist(
    done.map((ticked, index) => ({
      id: `item-${'abc'[index]}`,
      text: 'An item',
      required: true,
      evidence: { kind: 'gate' as const, gate: 'change' },
      phase: 'build',
      ticks: ticked ? [{ attempt: 1, subject: '1'.repeat(40) }] : [],
      holds: ticked,
    })),
  )

const command = (gate: string): Fixture => {
  const yaml = `commands:\n  ${gate}: [node, check.mjs]\n`
  const make = async (code: number) => {
    const bench = await openBench({ 'check.mjs': 'process.exit(0)\n' })
    await bench.work({ 'check.mjs': `console.log('checked')\nprocess.exit(${code})\n` })
    return bench.context({ yaml })
  }
  return { gate, bad: () => make(1), good: () => make(0) }
}

/** One entry a registered gate. */
export const FIXTURES: readonly Fixture[] = [
  command('lint'),
  command('types'),
  command('build'),
  command('test'),
  {
    gate: 'change',
    rule: 'nothing-changed',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ [`${FOLDER}/ticket.md`]: '# Only the record\n' })
      return bench.context()
    },
    good: async () => {
      const bench = await openBench()
      await bench.work({ 'src/main.mjs': 'export const answer = 42\n' })
      return bench.context()
    },
  },
  {
    gate: 'training-verdict',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ [`${ARTIFACTS}/verdict.json`]: '{"verdict":"fail","passed":0}\n' })
      return bench.context()
    },
    good: async () => {
      const bench = await openBench()
      await bench.work({ [`${ARTIFACTS}/verdict.json`]: '{"verdict":"pass","passed":1}\n' })
      return bench.context()
    },
  },
  {
    gate: 'summary',
    bad: () => summaryCase('# Summary\n\nEverything is fine.\n'),
    good: () => summaryCase('# Summary\n'),
  },
  {
    gate: 'link',
    bad: async () => linkCase([]),
    good: async () => linkCase(opening()),
  },
  {
    gate: 'checklist-monotonic',
    rule: 'unticked',
    bad: () => checklistCase(checklist(true, true), checklist(true, false)),
    good: () => checklistCase(checklist(true, false), checklist(true, true)),
  },
  {
    gate: 'required-items',
    rule: 'item-open',
    bad: () => checklistCase(checklist(true, false), checklist(true, false, false)),
    good: () => checklistCase(checklist(true, false), checklist(true, true)),
  },
  {
    gate: 'evidence',
    rule: 'not-recorded',
    bad: () => evidenceCase(`${OWN_WORDS} And more.`),
    good: () => evidenceCase(OWN_WORDS),
  },
  {
    gate: 'frozen',
    rule: 'delivered-changed',
    bad: () =>
      deliveredCase((text, path) => {
        const segment = parseSegment(text, path)
        const more = segmentWith([...opening(), DELIVERED, event('COMMENTED', { text: 'one more word' })])
        return renderSegment({ ...segment, entries: more.entries })
      }),
    good: () =>
      deliveredCase((text, path) => {
        const segment = parseSegment(text, path)
        const told = segmentWith([
          ...opening(),
          DELIVERED,
          event('REDACTED', { entry: segment.entries[0]?.id ?? '', reason: 'a name' }),
        ])
        const entries = told.entries.map((entry, index) => (index === 0 ? blankEntry(entry) : entry))
        return renderSegment({ ...segment, entries })
      }),
  },
  {
    gate: 'single-writer',
    rule: 'entries-changed',
    bad: () => sessionCase(opening(event('COMMENTED', { text: 'first' })), opening(event('COMMENTED', { text: 'another' }))),
    good: () =>
      sessionCase(
        opening(event('COMMENTED', { text: 'first' })),
        opening(event('COMMENTED', { text: 'first' }), event('COMMENTED', { text: 'second' })),
      ),
  },
  {
    gate: 'session-conflict',
    rule: 'session-conflict',
    bad: () =>
      sessionCase(
        opening(),
        opening(
          event('PHASE_ENTERED', { phase: 'deliver', mode: 'deliver', role: 'ops', attempt: 1, required: [], works: false }),
        ),
      ),
    good: () =>
      sessionCase(
        opening(),
        opening(
          event('DECIDED', { phase: 'build', attempt: 1, outcome: 'advance', code: 'gates-passed', reasons: [], to: 'evaluate' }),
          event('PHASE_ENTERED', {
            phase: 'evaluate',
            mode: 'evaluate',
            role: 'evaluator',
            attempt: 1,
            required: [],
            works: false,
          }),
        ),
      ),
  },
  {
    gate: 'branch-name',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ 'a.txt': 'a\n' })
      return bench.context({ branch: 'phase/build_43' })
    },
    good: async () => {
      const bench = await openBench()
      await bench.work({ 'a.txt': 'a\n', [`${FOLDER}/ticket.md`]: '# Ours\n' })
      return bench.context()
    },
  },
  {
    gate: 'size',
    rule: 'too-large',
    bad: async () => largeCase('x'.repeat(3_000), 'maxBytes: 2000'),
    good: async () => largeCase('x'.repeat(3_000), 'maxBytes: 4000'),
  },
  {
    gate: 'lfs',
    rule: 'not-in-lfs',
    bad: async () => largeCase('1,2,3\n'.repeat(500), 'warnBytes: 2000'),
    good: async () =>
      largeCase(`version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 3000\n`, 'warnBytes: 100'),
  },
  {
    gate: 'secrets',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ 'src/login.mjs': `export const token = '${TOKEN}'\n` })
      // Taking it away again does not take it out of the history.
      await bench.work({ 'src/login.mjs': 'export const token = process.env.TOKEN\n' })
      return bench.context()
    },
    good: async () => {
      const bench = await openBench({ 'src/login.mjs': `export const token = '${TOKEN}'\n` })
      await bench.work({ 'src/login.mjs': `export const token = '${TOKEN}'\nexport const user = 'ada'\n` })
      return bench.context()
    },
  },
  {
    gate: 'protected-paths',
    rule: 'protected-path',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ '.github/workflows/ci.yml': 'on: push\n' })
      return bench.context({ entries: entriesOf(opening()) })
    },
    good: async () => {
      const bench = await openBench()
      await bench.work({ '.github/workflows/ci.yml': 'on: push\n' })
      return approved(bench, 'protected-paths')
    },
  },
  {
    gate: 'commit-message',
    rule: 'ticket-trailer',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ 'a.txt': 'a\n' }, 'Change files\n\nValuetrain-Ticket: build_43\n')
      return bench.context()
    },
    good: async () => {
      const bench = await openBench()
      await bench.work({ 'a.txt': 'a\n' })
      return bench.context()
    },
  },
  {
    gate: 'privacy',
    rule: 'private-path',
    bad: async () => {
      const bench = await openBench()
      await bench.work({ [`${FOLDER}/ticket.md`]: `Worked in ${bench.repository.dir}/src\n` })
      return bench.context()
    },
    good: async () => {
      const bench = await openBench()
      await bench.work({ [`${FOLDER}/ticket.md`]: 'Worked in src, on branch phase/build_42\n' })
      return bench.context()
    },
  },
  {
    gate: 'definitions',
    rule: 'gate-weakened',
    bad: async () => definitionsCase('okExit: [0, 1]'),
    good: async () => definitionsCase('okExit: [0]'),
  },
]

async function summaryCase(text: string): Promise<JudgeContext> {
  const bench = await openBench()
  await bench.work({ 'a.txt': 'a\n', [`${ARTIFACTS}/change-summary.md`]: text })
  const written = event('ARTIFACT_WRITTEN', { path: `${ARTIFACTS}/change-summary.md`, digest: sha256('# Summary\n') })
  return bench.context({ entries: entriesOf(opening(written)) })
}

async function linkCase(events: ReturnType<typeof opening>): Promise<JudgeContext> {
  const bench = await openBench()
  await bench.work({ 'a.txt': 'a\n' })
  return bench.context({ entries: entriesOf(events) })
}

async function checklistCase(before: string, after: string): Promise<JudgeContext> {
  const bench = await openBench({ [`${FOLDER}/checklist.md`]: before })
  await bench.work({ [`${FOLDER}/checklist.md`]: after })
  return bench.context()
}

async function evidenceCase(text: string): Promise<JudgeContext> {
  const bench = await openBench()
  const path = `${ARTIFACTS}/notes.md`
  await bench.work({ [path]: `# Notes\n\n${text}\n` })
  const written = event('ARTIFACT_WRITTEN', { path, digest: sha256(`# Notes\n\n${OWN_WORDS}\n`) })
  return bench.context({ entries: entriesOf(opening(written)) })
}

async function deliveredCase(change: (text: string, path: string) => string): Promise<JudgeContext> {
  const files = sessionFiles([...opening(), DELIVERED])
  const [path = '', text = ''] = Object.entries(files)[0] ?? []
  const bench = await openBench(files)
  await bench.work({ [path]: change(text, path) })
  return bench.context()
}

async function sessionCase(before: ReturnType<typeof opening>, after: ReturnType<typeof opening>): Promise<JudgeContext> {
  const bench = await openBench(sessionFiles(before))
  await bench.work(sessionFiles(after))
  return bench.context()
}

async function largeCase(content: string, limit: string): Promise<JudgeContext> {
  const bench = await openBench()
  await bench.work({ 'data/table.csv': content })
  return bench.context({ yaml: `size:\n  ${limit}\n` })
}

const GATE = `
gates:
  - id: docs
    title: Docs are fresh
    why: stale pages mislead
    subject: tree
    kind: { type: command, argv: [node, docs.mjs], `

async function definitionsCase(okExit: string): Promise<JudgeContext> {
  const bench = await openBench({ '.valuetrain/config.yaml': `${GATE}okExit: [0] }\n` })
  await bench.work({ '.valuetrain/config.yaml': `# Gates\n${GATE}${okExit} }\n` })
  return bench.context()
}

async function approved(bench: Awaited<ReturnType<typeof openBench>>, gate: string): Promise<JudgeContext> {
  const { workDigest } = await import('../../gates/index.ts')
  const subject = await workDigest({ git: bench.repository.git, head: 'HEAD', ticket: TICKET })
  const actor = { kind: 'human' as const, role: 'evaluator' as const, name: 'Ada Tester' }
  return bench.context({ entries: entriesOf(opening(event('APPROVED', { actor, gate, subject, channel: 'terminal' }))) })
}

/** Returns a result as a log holds it, for gates that look at other gates. */
export async function resultOf(
  context: JudgeContext,
  gate: string,
  verdict: GateResult['verdict'],
  spec: string,
): Promise<GateResult> {
  return {
    id: context.ids.ulid(),
    gate,
    spec,
    verdict,
    key: sha256(`${gate} ${verdict}`),
    subject: { kind: 'tree', digest: await subjectTree(context.repository.git, context.head) },
    severity: 'block',
    reasons: [],
    findings: [],
    evidence: {},
    at: '2026-01-01T00:00:00.000Z',
  }
}
