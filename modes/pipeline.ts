import type { Method, PhaseSpec, PipelineSpec } from '../core/contracts/method.ts'
import type { RoleId } from '../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { childStatesOf, itemsOf, wrong } from './parse.ts'
import { mayMove, movesFrom } from './table.ts'

/** Returns a phase by name. @throws VT_PHASE_UNKNOWN with the nearest name */
export function phaseOf(pipeline: PipelineSpec, name: string): PhaseSpec {
  const phase = pipeline.phases.find((one) => one.name === name)
  if (phase) return phase
  const names = pipeline.phases.map((one) => one.name)
  throw new ValuetrainError(
    'VT_PHASE_UNKNOWN',
    `pipeline "${pipeline.id}" has no phase "${name.slice(0, 80)}"${didYouMean(name, names)}`,
    { kind: 'config', hint: `its phases: ${names.join(', ')}` },
  )
}

/** Returns the phase that follows a phase, or undefined where the pipeline ends. @throws VT_PHASE_UNKNOWN */
export function nextPhase(pipeline: PipelineSpec, name: string): PhaseSpec | undefined {
  const phase = phaseOf(pipeline, name)
  if (phase.next === null) return undefined
  if (phase.next !== undefined) return phaseOf(pipeline, phase.next)
  return pipeline.phases[pipeline.phases.indexOf(phase) + 1]
}

/** Returns the phases grouped by what ships together, in the file's order: each group is one ticket. */
export function stretches(pipeline: PipelineSpec): PhaseSpec[][] {
  const groups: PhaseSpec[][] = []
  for (const phase of pipeline.phases) {
    const last = groups.at(-1)
    if (phase.joined && last) last.push(phase)
    else groups.push([phase])
  }
  return groups
}

/** Returns who owns a phase: the named role, else the mode's first. */
export function ownerOf(phase: PhaseSpec, method: Pick<Method, 'modes'>): RoleId {
  return phase.role ?? (method.modes.get(phase.mode)?.roles[0] as RoleId)
}

/**
 * Checks a pipeline against the modes and the edge table: names used once, ways that lead somewhere and only along
 * allowed edges, loops only where the table has them, and nothing asked that a mode does not have.
 *
 * @param options.file named in errors
 * @param options.gates ids of the gates there are; gate names are left alone without it
 * @throws VT_PIPELINE with file, key and, for a misspelt name, the nearest one
 */
export function checkPipeline(
  pipeline: PipelineSpec,
  method: Pick<Method, 'modes' | 'roles'>,
  { file = fileOf(pipeline), gates }: { file?: string; gates?: ReadonlySet<string> } = {},
): void {
  const refuse: Refuse = (phase, key, what, hint) => {
    throw wrong('VT_PIPELINE', file, `phase "${phase.name}"${key === '' ? '' : `: ${key}`}`, what, hint)
  }
  checkNames(pipeline, refuse)
  for (const phase of pipeline.phases) checkParts(phase, method, refuse)
  checkWays(pipeline, method, refuse)
  checkLoops(pipeline, refuse)
  checkReach(pipeline, refuse)
  if (gates) for (const phase of pipeline.phases) checkGates(phase, gates, refuse)
}

/**
 * Checks that every gate that modes and pipelines name is there.
 *
 * @param known ids of all gates; `commands`, which stands for the configured ones, is always known
 * @throws VT_PIPELINE or VT_MODE with file, key and nearest name
 */
export function checkGateNames(method: Method, known: Iterable<string>): void {
  const gates = new Set([...known, 'commands', 'lint', 'types', 'build', 'test'])
  for (const mode of method.modes.values()) {
    const file = definitionFile(method, `modes/${mode.id}.md`)
    const items = itemsOf(mode).flatMap(({ id, evidence }) => (evidence.kind === 'gate' ? [{ id, gate: evidence.gate }] : []))
    const named = [
      ...mode.gates.map((gate) => ({ key: 'gates', gate })),
      ...items.map(({ id, gate }) => ({ key: `item "${id}"`, gate })),
    ]
    for (const { key, gate } of named) {
      if (!gates.has(gate)) throw wrong('VT_MODE', file, key, `there is no gate "${gate}"${didYouMean(gate, gates)}`, GATES_HINT)
    }
  }
  for (const pipeline of method.pipelines.values()) {
    checkPipeline(pipeline, method, { file: definitionFile(method, fileOf(pipeline)), gates })
  }
}

/** Returns where a definition comes from: the repository's own file where there is one. */
function definitionFile(method: Method, builtin: string): string {
  const stem = builtin.replace(/\.\w+$/, '')
  return method.overrides.find((file) => file.replace(/\.\w+$/, '') === `.valuetrain/${stem}`) ?? `${builtin} (built in)`
}

const GATES_HINT = '`valuetrain gate list` shows the gates'

type Refuse = (phase: PhaseSpec, key: string, what: string, hint: string) => never

function fileOf(pipeline: PipelineSpec): string {
  return `pipelines/${pipeline.id}.yaml`
}

function checkNames(pipeline: PipelineSpec, refuse: Refuse): void {
  const seen = new Set<string>()
  for (const phase of pipeline.phases) {
    if (seen.has(phase.name)) refuse(phase, 'name', 'is there twice', 'give each phase a name of its own')
    seen.add(phase.name)
  }
}

function checkParts(phase: PhaseSpec, method: Pick<Method, 'modes' | 'roles'>, refuse: Refuse): void {
  const mode = method.modes.get(phase.mode)
  if (!mode) throw new ValuetrainError('VT_MODE', `the mode "${phase.mode}" is not loaded`, { kind: 'internal' })
  const children = childStatesOf(phase.mode)
  if (phase.child !== undefined && !mode.children.includes(phase.child)) {
    const hint = children.length === 0 ? 'only build and evaluate have child states' : `it has: ${mode.children.join(', ')}`
    refuse(phase, 'child', `"${phase.child}" is not a child state of ${phase.mode}${didYouMean(phase.child, children)}`, hint)
  }
  const role = phase.role
  if (role !== undefined && !(mode.roles.includes(role) && method.roles.get(role)?.modes.includes(phase.mode))) {
    refuse(phase, 'role', `"${role}" does not work in ${phase.mode}`, `roles of ${phase.mode}: ${mode.roles.join(', ')}`)
  }
  const ids = itemsOf(mode).map(({ id }) => id)
  const missing = phase.items?.find((id) => !ids.includes(id))
  if (missing !== undefined) {
    const hint = `items of ${phase.mode}: ${ids.join(', ')}`
    refuse(phase, 'items', `${phase.mode} has no item "${missing}"${didYouMean(missing, ids)}`, hint)
  }
}

function checkGates(phase: PhaseSpec, gates: ReadonlySet<string>, refuse: Refuse): void {
  const missing = phase.gates?.find((gate) => !gates.has(gate))
  if (missing !== undefined) refuse(phase, 'gates', `there is no gate "${missing}"${didYouMean(missing, gates)}`, GATES_HINT)
}

function checkWays(pipeline: PipelineSpec, method: Pick<Method, 'modes'>, refuse: Refuse): void {
  const names = pipeline.phases.map(({ name }) => name)
  for (const [index, phase] of pipeline.phases.entries()) {
    const below = pipeline.phases[index + 1]
    if (index === 0 && phase.joined) refuse(phase, 'joined', 'there is no phase before it', 'take `joined` away')
    if (typeof phase.next === 'string' && !names.includes(phase.next)) {
      const near = didYouMean(phase.next, names)
      refuse(phase, 'next', `there is no phase "${phase.next}"${near}`, `phases: ${names.join(', ')}`)
    }
    const next = nextPhase(pipeline, phase.name)
    if (below?.joined && next !== below) {
      refuse(below, 'joined', `"${phase.name}" does not lead to it`, 'join only phases that follow one another')
    }
    if (!next) continue
    if (next.joined && next !== below) {
      const hint = 'lead to the first phase of a stretch; a joined phase has no ticket of its own'
      refuse(phase, 'next', `"${next.name}" is joined to the phase before it`, hint)
    }
    if (!isOpen(phase, next, method)) {
      const ways = movesFrom(phase.mode).join(', ')
      refuse(phase, 'next', `no edge leads from ${phase.mode} to ${next.mode} ("${next.name}")`, `from ${phase.mode} to: ${ways}`)
    }
  }
}

/** An edge has to be in the table and, where the repository's mode file leaves some out, in that file. */
function isOpen(phase: PhaseSpec, next: PhaseSpec, method: Pick<Method, 'modes'>): boolean {
  if (phase.mode === next.mode) return true
  const ways = method.modes.get(phase.mode)?.transitions
  return mayMove(phase.mode, next.mode) && [...(ways?.forward ?? []), ...(ways?.back ?? [])].includes(next.mode)
}

/** Going back within one mode is a hold, which the gates decide and no file can order. */
function checkLoops(pipeline: PipelineSpec, refuse: Refuse): void {
  for (const [index, phase] of pipeline.phases.entries()) {
    const next = nextPhase(pipeline, phase.name)
    if (!next || pipeline.phases.indexOf(next) > index || next.mode !== phase.mode) continue
    const hint = 'a loop has to close over an edge of the table, e.g. improve to build; repeating is what `iterate` does'
    refuse(phase, 'next', `"${next.name}" makes a loop that never leaves ${phase.mode}`, hint)
  }
}

function checkReach(pipeline: PipelineSpec, refuse: Refuse): void {
  const reached = new Set<string>()
  for (let phase = pipeline.phases[0]; phase && !reached.has(phase.name); phase = nextPhase(pipeline, phase.name)) {
    reached.add(phase.name)
  }
  const lost = pipeline.phases.find(({ name }) => !reached.has(name))
  if (lost) refuse(lost, '', 'no way leads to it', 'mend the `next` of the phase that should come before it')
}
