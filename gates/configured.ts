import type { Config } from '../core/config.ts'
import type { GateSpec } from '../core/contracts/gate.ts'
import { ValuetrainError } from '../core/errors.ts'
import { COMMAND_NAMES, COMMANDS, commandGates } from './builtin/commands.ts'
import { trainingApproval } from './builtin/training-verdict.ts'

/**
 * Returns every gate by id: those given, one for each configured command, the repository's own, those of extensions.
 *
 * @throws VT_GATE_TWICE when an id is taken; `commands`, the names of commands, `training-approval` and `item-…` always are
 */
export function joinGates(
  builtins: readonly GateSpec[],
  config: Config,
  extensionGates: readonly GateSpec[] = [],
): ReadonlyMap<string, GateSpec> {
  const gates = new Map<string, GateSpec>([...builtins, ...commandGates(config)].map((spec) => [spec.id, spec]))
  for (const spec of [...config.gates, ...extensionGates]) {
    if (gates.has(spec.id) || RESERVED.has(spec.id) || spec.id.startsWith('item-')) {
      throw new ValuetrainError('VT_GATE_TWICE', `the gate id "${spec.id}" is taken`, {
        kind: 'config',
        hint: 'give the gate another id in .valuetrain/config.yaml or in the extension that brings it',
      })
    }
    gates.set(spec.id, spec)
  }
  return gates
}

/** Taken also while the configuration does not ask for them, or asking later would break the file. */
const RESERVED: ReadonlySet<string> = new Set([COMMANDS, ...COMMAND_NAMES, trainingApproval.id])
