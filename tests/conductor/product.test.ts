import { describe, expect, it } from 'vitest'
import * as YAML from 'yaml'
import { loadDefinitions, phaseGates } from '../../conductor/definitions.ts'
import { drive } from '../../conductor/drive.ts'
import { operate } from '../../conductor/operate.ts'
import { runIssue } from '../../conductor/run.ts'
import { surveyTickets } from '../../conductor/survey.ts'
import type { Evidence } from '../../core/contracts/method.ts'
import { MODES } from '../../core/contracts/names.ts'
import { issueFile, joinLine, makeLine } from './line.ts'

const CONFIG = `version: 1
pipeline: routine
agent: scripted
commands:
  test: ['true']
`

const WORDS =
  'Parcels above the limit pay the heavy rate, which the warehouse checked against twelve real invoices from last spring. '

type Step = { do: 'write'; path: string; content: string }

/** Returns the steps that make the evidence of a phase's items hold, as an honest agent would leave it. */
function stepsFor(items: readonly { evidence: Evidence }[]): Step[] {
  const steps: Step[] = []
  const metrics = new Map<string, Record<string, number>>()
  for (const { evidence } of items) {
    if (evidence.kind === 'file' && !evidence.path.endsWith('children.yaml')) {
      const words = WORDS.repeat(Math.ceil((evidence.minContent + 10) / 15))
      steps.push({ do: 'write', path: evidence.path, content: `# Findings\n\n${words}\n` })
    }
    if (evidence.kind === 'metric') {
      const { op, value, baseline } = evidence.rule
      const high = op === '>=' || op === '>'
      metrics.set(evidence.file, { ...metrics.get(evidence.file), [evidence.path]: high ? (value ?? 1) + 1 : 0 })
      if (baseline) metrics.set(baseline.file, { ...metrics.get(baseline.file), [baseline.path]: 1 })
    }
  }
  for (const [path, values] of metrics) steps.push({ do: 'write', path, content: `${JSON.stringify(nested(values))}\n` })
  return steps
}

/** Turns dotted paths into the objects they lead through. */
function nested(values: Record<string, number>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split('.')
    const last = keys.pop() as string
    let at = root
    for (const key of keys) {
      at[key] = at[key] ?? {}
      at = at[key] as Record<string, unknown>
    }
    at[last] = value
  }
  return root
}

const CHILDREN = `children:
  - { key: rates, title: Add the heavy rate, body: Add it., labels: [auto] }
  - { key: docs, title: Describe the heavy rate, body: Describe it., labels: [auto] }
`

describe('the product pipeline', () => {
  it('goes through all nine modes, each merged on its own, opens child tickets and waits for them and for people', {
    timeout: 300_000,
  }, async () => {
    const bare = await makeLine({
      'README.md': '# Rates\n',
      '.valuetrain/config.yaml': CONFIG,
      ...issueFile(1, 'Heavy parcels', ['auto']),
    })
    const definitions = await loadDefinitions(bare.ports.repository, 'HEAD')
    const pipeline = definitions.method.pipelines.get('product')
    if (!pipeline) throw new Error('no product pipeline')
    const turns = pipeline.phases.map((phase) => ({
      phase: phase.name,
      issue: 1,
      steps: [
        ...stepsFor(phaseGates(definitions, pipeline, phase.name).items.map(({ item }) => item)),
        ...(phase.children ? [{ do: 'write', path: '{artifacts}/children.yaml', content: CHILDREN }] : []),
        { do: 'write', path: 'docs/{phase}.md', content: 'Notes of {phase}.\n' },
      ],
    }))
    const child = { phase: 'build', steps: [{ do: 'write', path: 'src/{issue}.txt', content: 'heavy\n' }] }
    await bare.commit({ '.valuetrain/scripted.yaml': YAML.stringify({ version: 1, turns: [...turns, child] }) })
    const line = await joinLine(bare)

    const stops: string[] = []
    for (let round = 0; round < 30; round++) {
      const outcome = await runIssue(line.ports, { issue: 1, pipeline: 'product', merge: 'auto' })
      if (outcome.outcome === 'done') break
      const [view] = (await surveyTickets(line.ports)).filter((one) => one.issue === 1 && one.status !== 'done')
      stops.push(`${view?.mode}: ${outcome.outcome === 'waiting' ? view?.status : outcome.reasons.join('; ')}`)
      expect({ outcome: outcome.outcome, reasons: outcome.reasons }).toEqual({
        outcome: 'waiting',
        reasons: outcome.reasons.filter(() => outcome.outcome === 'waiting'),
      })
      if (view?.waiting?.includes('child')) {
        const driven = await drive(line.ports, { once: true, merge: 'auto' })
        expect(driven.issues.filter(({ issue }) => issue !== 1)).toMatchObject([{ outcome: 'done' }, { outcome: 'done' }])
      } else {
        expect(
          await operate(line.ports, 1, { type: 'approve', channel: 'terminal', reason: 'looked at it' }, { name: 'Ada' }),
        ).toMatchObject({ applied: true })
      }
    }
    const tickets = await surveyTickets(line.ports)
    expect(
      tickets
        .filter(({ issue }) => issue === 1)
        .map(({ mode, status }) => [mode, status])
        .sort(),
    ).toEqual(MODES.map((mode) => [mode, 'done']).sort())
    expect(tickets.filter(({ issue }) => issue !== 1).map(({ ticket, status }) => [ticket, status])).toEqual([
      ['build_2', 'done'],
      ['build_3', 'done'],
    ])
    expect(stops).toContain('build: waiting')
    expect(stops.filter((stop) => stop.startsWith('intake'))).toEqual(['intake: waiting'])
  })
})
