import type { RequiredGate } from '../../core/contracts/event.ts'
import type { Finding, GateSpec } from '../../core/contracts/gate.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { LISTED } from '../../gates/guard-rails.ts'
import { requiredOf } from '../../gates/index.ts'
import { type Definitions, stretchGates } from '../definitions.ts'
import type { TicketState } from '../state.ts'

/** What a head is asked before it may be merged. */
export interface AskedOfHead {
  specs: GateSpec[]
  required: RequiredGate[]
  /** What could not be asked, and why. */
  findings: Finding[]
}

/**
 * Returns what a head is asked: every gate of the base for stage `pull-request`, and for a ticket all that the phases of
 * its stretch ask, just as the conductor asks it of the merge result.
 *
 * @param state of the branch's ticket; undefined when there is none, or nobody has opened it
 */
export function askedOfHead(definitions: Definitions, ticket: string | undefined, state: TicketState | undefined): AskedOfHead {
  const specs = new Map<string, GateSpec>()
  const required = new Map<string, RequiredGate>()
  const findings: Finding[] = []
  for (const spec of definitions.gates.values()) {
    if (!isAsked(spec)) continue
    specs.set(spec.id, spec)
    required.set(spec.id, requiredOf(spec))
  }
  const opened = state?.ledger.opened
  if (opened === undefined) return asList(specs, required, findings)
  try {
    const stretch = stretchGates(definitions, opened.pipeline, opened.stretch)
    for (const spec of stretch.specs) {
      specs.delete(spec.id)
      specs.set(spec.id, spec)
    }
    for (const gate of stretch.required) {
      const severity = required.get(gate.gate)?.severity === 'block' ? 'block' : gate.severity
      required.set(gate.gate, { ...gate, severity })
    }
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind !== 'config') throw error
    const message = `what ${ticket} is asked cannot be told by the base: ${error.message}`
    findings.push({ rule: 'pipeline-unknown', severity: 'error', message })
  }
  return asList(specs, required, findings)
}

function asList(
  specs: ReadonlyMap<string, GateSpec>,
  required: ReadonlyMap<string, RequiredGate>,
  findings: Finding[],
): AskedOfHead {
  return { specs: [...specs.values()], required: [...specs.keys()].flatMap((id) => required.get(id) ?? []), findings }
}

/**
 * Gates that exist for a phase, a mode or an item are asked where those list them. People's answers stand in the ticket's
 * log; the fold refuses a step that went on without them.
 */
function isAsked(spec: GateSpec): boolean {
  if ((LISTED as readonly string[]).includes(spec.id)) return false
  return spec.stages.includes('pull-request') && spec.kind.type !== 'external' && spec.kind.type !== 'human'
}
