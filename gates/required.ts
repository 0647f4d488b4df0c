import type { Config } from '../core/config.ts'
import type { RequiredGate } from '../core/contracts/event.ts'
import { GateSpec, type GateSpecInput } from '../core/contracts/gate.ts'
import type { Evidence, Item, Method, ModeSpec, PhaseSpec, PipelineSpec } from '../core/contracts/method.ts'
import type { ModeId } from '../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { COMMAND_NAMES, COMMANDS, commandGates, unnamedCommands } from './builtin/commands.ts'
import { asksApproval, trainingApproval, trainingVerdict } from './builtin/training-verdict.ts'
import { GUARD_RAILS, LISTED } from './guard-rails.ts'
import { requiredOf } from './spec.ts'

/** An item of a phase and the gates that show it to be true. */
export interface BoundItem {
  item: Item
  /** All of them have to hold; empty when the item stands for commands that the configuration does not name. */
  gates: string[]
}

export interface Asked {
  /** Specifications of every required gate, in the order of `required`. */
  specs: GateSpec[]
  required: RequiredGate[]
  items: BoundItem[]
}

/**
 * Returns what a phase asks before it may be left: the guard-rails, the phase's gates (the mode's unless it names its
 * own), the repository's gates for this mode, and one gate an item.
 *
 * @throws VT_PHASE_UNKNOWN, VT_GATE_UNKNOWN with the nearest name
 */
export function requiredGates({
  gates,
  config,
  method,
  pipeline,
  phase,
}: {
  gates: ReadonlyMap<string, GateSpec>
  config: Config
  method: Method
  pipeline: string | PipelineSpec
  phase: string | PhaseSpec
}): Asked {
  const { name, spec: position, mode } = findPhase(method, pipeline, phase)
  const asked = new Map<string, { spec: GateSpec; severity: 'block' | 'warn'; item?: string }>()
  const ask = (id: string, where: string, more: { severity?: 'block' | 'warn'; item?: string } = {}): string[] => {
    const specs = id === COMMANDS ? commandGates(config) : isNotConfigured(id, config) ? [] : [gateNamed(gates, id, where)]
    for (const spec of specs) {
      const before = asked.get(spec.id)
      const severity = before?.severity === 'block' ? 'block' : (more.severity ?? spec.severity)
      const item = before?.item ?? more.item
      asked.set(spec.id, { spec, severity, ...(item === undefined ? {} : { item }) })
    }
    return specs.map(({ id }) => id)
  }
  const listed = position.gates ?? mode.gates
  for (const id of listed) ask(id, `phase "${position.name}" of pipeline "${name}"`)
  if (asksApproval(config, position)) asked.set(trainingApproval.id, { spec: trainingApproval, severity: 'block' })
  const own = [...gates.values()].filter((spec) => !isBuiltin(spec.id) && appliesTo(spec, mode.id))
  for (const spec of own) ask(spec.id, 'the configuration')
  const items = itemsOf(mode, position).map((item): BoundItem => {
    const severity = item.required ? 'block' : 'warn'
    if (item.evidence.kind === 'gate') {
      // An optional item never lowers a gate that is asked anyway; a required one never raises a gate that only warns.
      const bound = gates.get(item.evidence.gate)?.severity === 'warn' ? 'warn' : severity
      return { item, gates: ask(item.evidence.gate, `item "${item.id}" of mode ${mode.id}`, { severity: bound, item: item.id }) }
    }
    if (item.evidence.kind === 'command' && item.evidence.command !== undefined && item.evidence.argv === undefined) {
      return { item, gates: ask(item.evidence.command, `item "${item.id}" of mode ${mode.id}`, { severity, item: item.id }) }
    }
    const spec = compileItem(item, mode.id)
    asked.set(spec.id, { spec, severity, item: item.id })
    return { item, gates: [spec.id] }
  })
  for (const id of GUARD_RAILS) ask(id, 'the guard-rails')
  const all = [...asked.values()]
  return {
    specs: all.map(({ spec }) => spec),
    required: all.map(({ spec, ...asked }) => requiredOf(spec, asked)),
    items,
  }
}

/** Returns the gate an item of a mode compiles to, `item-<mode>-<id>`. Items bound to a gate or a named command have none. */
export function compileItem(item: Item, mode: ModeId): GateSpec {
  const { kind, subject } = kindOf(item.evidence)
  const input: GateSpecInput = {
    id: `item-${mode}-${item.id}`,
    title: item.text,
    why: `an item of ${mode} is done when its evidence says so, not when it is ticked`,
    modes: [mode],
    kind,
    subject,
    severity: item.required ? 'block' : 'warn',
  }
  return GateSpec.parse(input)
}

type Compiled = { kind: GateSpecInput['kind']; subject: GateSpecInput['subject'] }

function kindOf(evidence: Exclude<Evidence, { kind: 'gate' }> | Evidence): Compiled {
  switch (evidence.kind) {
    case 'file': {
      const template = evidence.template === undefined ? {} : { template: evidence.template }
      return {
        kind: { type: 'artifact', paths: [evidence.path], minContent: evidence.minContent, ...template },
        subject: 'ticket',
      }
    }
    case 'command':
      if (evidence.argv === undefined) throw evidenceWrong('a command item names neither a command nor an argv')
      return { kind: { type: 'command', argv: evidence.argv }, subject: 'tree' }
    case 'metric':
      return { kind: { type: 'metric', file: evidence.file, path: evidence.path, rule: evidence.rule }, subject: 'ticket' }
    case 'approval':
      return {
        kind: { type: 'human', roles: evidence.roles, quorum: evidence.quorum, question: evidence.question },
        subject: 'human',
      }
    case 'link':
      return { kind: { type: 'builtin', name: 'link', options: { to: evidence.to } }, subject: 'session' }
    case 'gate':
      throw evidenceWrong(`an item bound to the gate "${evidence.gate}" has no gate of its own`)
  }
}

function evidenceWrong(message: string): ValuetrainError {
  return new ValuetrainError('VT_ITEM_EVIDENCE', message, {
    kind: 'config',
    hint: 'mend the evidence of the item in its mode file',
  })
}

/** The items a phase asks of its mode: those it names, else all that are there. Entry items are asked, too: they must still hold. */
function itemsOf(mode: ModeSpec, phase: PhaseSpec): Item[] {
  const all = [...mode.entry, ...mode.checklist, ...mode.exit]
  if (phase.items === undefined) return all
  return phase.items.map((id) => {
    const item = all.find((one) => one.id === id)
    if (item) return item
    const near = didYouMean(
      id,
      all.map((one) => one.id),
    )
    throw new ValuetrainError('VT_ITEM_UNKNOWN', `phase "${phase.name}" asks the item "${id}", which ${mode.id} has not${near}`, {
      kind: 'config',
      hint: 'mend the `items` of the phase in its pipeline file',
    })
  })
}

function findPhase(
  method: Method,
  pipeline: string | PipelineSpec,
  phase: string | PhaseSpec,
): { name: string; spec: PhaseSpec; mode: ModeSpec } {
  const name = typeof pipeline === 'string' ? pipeline : pipeline.id
  const phases = (typeof pipeline === 'string' ? method.pipelines.get(pipeline)?.phases : pipeline.phases) ?? []
  const wanted = typeof phase === 'string' ? phase : phase.name
  const spec = phases.find((one) => one.name === wanted)
  const mode = spec && method.modes.get(spec.mode)
  if (spec && mode) return { name, spec, mode }
  const known = phases.map((one) => one.name)
  throw new ValuetrainError('VT_PHASE_UNKNOWN', `pipeline "${name}" has no phase "${wanted}"${didYouMean(wanted, known)}`, {
    kind: 'config',
    hint: '`valuetrain mode list` shows modes, `.valuetrain/pipelines` holds the pipelines of this repository',
  })
}

function gateNamed(gates: ReadonlyMap<string, GateSpec>, id: string, where: string): GateSpec {
  const spec = gates.get(id)
  if (spec) return spec
  throw new ValuetrainError(
    'VT_GATE_UNKNOWN',
    `${where} asks the gate "${id}", which does not exist${didYouMean(id, [...gates.keys(), COMMANDS])}`,
    {
      kind: 'config',
      hint: '`valuetrain gate list` shows the gates',
    },
  )
}

function appliesTo(spec: GateSpec, mode: ModeId): boolean {
  // No mode named means every mode: a gate that is forgotten nowhere is safer than one that is asked nowhere.
  return spec.stages.includes('advance') && (spec.modes.length === 0 || spec.modes.includes(mode))
}

function isBuiltin(id: string): boolean {
  return ([...GUARD_RAILS, ...LISTED, ...COMMAND_NAMES] as readonly string[]).includes(id)
}

/** What a configuration leaves out asks nothing: a command without a name, a verdict where nothing is trained. */
function isNotConfigured(id: string, config: Config): boolean {
  return unnamedCommands(config).includes(id) || (id === trainingVerdict.id && config.training.config === null)
}
