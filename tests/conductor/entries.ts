import { digestOf } from '../../core/canonical.ts'
import { EVENT_SCHEMAS, type EventInput, type EventType, type PlacedEntry } from '../../core/contracts/event.ts'
import type { GateResult } from '../../core/contracts/gate.ts'
import { countingIds } from '../../core/ids.ts'

export const COMMIT = 'a'.repeat(40)
export const TREE = 'b'.repeat(40)
export const SPEC = 'c'.repeat(64)
const conductor = { kind: 'agent', role: 'conductor' } as const

/** Makes entries as a session would hold them, without chain: the fold does not read hashes. */
export function scribe() {
  const ids = countingIds()
  const entries: PlacedEntry[] = []
  const write = <T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'>): PlacedEntry => {
    const entry = {
      v: 1,
      seq: entries.length,
      id: ids.ulid(),
      ts: new Date(Date.UTC(2026, 0, 1) + entries.length * 1000).toISOString(),
      type,
      data: EVENT_SCHEMAS[type].parse({ actor: conductor, ...data }),
      prev: '0'.repeat(64),
      hash: digestOf([type, entries.length]),
      segment: '01J00000000000000000000001',
    } as unknown as PlacedEntry
    entries.push(entry)
    return entry
  }
  return { entries, write, ids }
}

/** Returns a result of a gate on the test tree. */
export function resultOf(gate: string, verdict: GateResult['verdict'], id: string, subject = TREE): GateResult {
  return {
    id,
    gate,
    spec: SPEC,
    verdict,
    key: digestOf([gate, subject, verdict]),
    subject: { kind: 'tree', digest: subject },
    severity: 'block',
    reasons: [`${gate} says ${verdict}`],
    findings: [],
    evidence: {},
    at: '2026-01-01T00:00:00.000Z',
  }
}

export const OPENED: Omit<EventInput<'TICKET_OPENED'>, 'actor'> = {
  ticket: 'build_42',
  issue: { number: 42, title: 'Do it', body: '', digest: SPEC, labels: ['auto'] },
  pipeline: 'routine',
  stretch: ['build', 'evaluate', 'deliver'],
  base: COMMIT,
  definitions: SPEC,
  runtime: 'recipe',
  epoch: 1,
  attempts: 3,
}

const PHASES = {
  build: { mode: 'build', child: 'dev', role: 'studio', works: true },
  evaluate: { mode: 'evaluate', child: 'qa', role: 'evaluator', works: false },
  deliver: { mode: 'deliver', role: 'studio', works: false },
} as const

/** Returns the data of entering one of the three phases. */
export function entering(phase: keyof typeof PHASES, attempt = 1): Omit<EventInput<'PHASE_ENTERED'>, 'actor'> {
  return { phase, ...PHASES[phase], attempt, required: [{ gate: 'test', spec: SPEC, severity: 'block' }] }
}
