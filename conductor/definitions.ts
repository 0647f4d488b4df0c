import { digestOf } from '../core/canonical.ts'
import { type Config, readConfig } from '../core/config.ts'
import type { RequiredGate } from '../core/contracts/event.ts'
import type { GateSpec } from '../core/contracts/gate.ts'
import type { Method, PipelineSpec } from '../core/contracts/method.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { type LoadedExtensions, loadExtensions } from '../core/extensions.ts'
import { openMemory } from '../core/memory.ts'
import { readerAt } from '../core/reader.ts'
import type { Repository } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { openDisposable, worktreeRoot } from '../core/worktree.ts'
import { requiredGates, resolveGates } from '../gates/index.ts'
import { checkGateNames, loadMethod, phaseOf } from '../modes/index.ts'

/** Everything that judges, as one commit has it. */
export interface Definitions {
  commit: string
  config: Config
  /** Whether that commit has a configuration; without one the built-in defaults judge. */
  found: boolean
  method: Method
  gates: ReadonlyMap<string, GateSpec>
  extensions: LoadedExtensions
  /** Digest over configuration, pipelines, modes, roles and gates. */
  digest: string
}

/** A commit says the same for ever, and one look asks many times. */
const definitionsAt = openMemory<Definitions>(16)
const configAt = openMemory<{ config: Config; found: boolean }>(64)

/**
 * Returns configuration, method and gates of one commit; nothing of the working tree is read.
 */
export function loadDefinitions(repository: Repository, commit: string): Promise<Definitions> {
  const read = () => readDefinitions(repository, commit)
  // A branch moves; only an id stands for the same for ever.
  return isId(commit) ? definitionsAt(keyOf(repository, commit), read) : read()
}

async function readDefinitions(repository: Repository, commit: string): Promise<Definitions> {
  const reader = readerAt(repository.git, commit)
  const { config, found } = await readCommitted(repository, commit)
  const method = await loadMethod(reader, config)
  const extensions = await loadCommittedExtensions(repository, config, commit)
  const gates = resolveGates({ config, method, extensionGates: extensions.gates })
  checkGateNames(method, gates.keys())
  const digest = digestOf({
    config,
    modes: [...method.modes.values()],
    roles: [...method.roles.values()],
    pipelines: [...method.pipelines.values()],
    gates: [...gates.values()],
  })
  return { commit, config, found, method, gates, extensions, digest }
}

/**
 * Returns the configuration that is committed at HEAD: it names the default branch and the remote, and so tells where
 * the base is that everything else is read from.
 *
 * @throws VT_UNBORN when nothing has been committed yet
 */
export async function committedConfig(repository: Repository): Promise<Config> {
  const head = await resolveCommit(repository.git, 'HEAD')
  if (head !== undefined) return (await readCommitted(repository, head)).config
  throw new ValuetrainError('VT_UNBORN', 'this repository has no commit yet', {
    kind: 'environment',
    hint: 'commit something first; work starts from a commit',
  })
}

function readCommitted(repository: Repository, commit: string): Promise<{ config: Config; found: boolean }> {
  const read = () => readConfig(readerAt(repository.git, commit))
  return isId(commit) ? configAt(keyOf(repository, commit), read) : read()
}

function isId(rev: string): boolean {
  return /^[0-9a-f]{40}$|^[0-9a-f]{64}$/.test(rev)
}

function keyOf({ commonDir }: Repository, commit: string): string {
  return `${commit} ${commonDir}`
}

/** Extension modules run from a checkout of the commit, so that an uncommitted edit is never loaded. */
async function loadCommittedExtensions(repository: Repository, config: Config, commit: string): Promise<LoadedExtensions> {
  const { gates, runtimes } = config.extensions
  if (gates.length + runtimes.length === 0) return { gates: [], runtimes: [] }
  const checkout = await openDisposable(repository, { root: worktreeRoot(repository, config), commit })
  try {
    return await loadExtensions(checkout.dir, config)
  } finally {
    await checkout.close()
  }
}

/** Returns a pipeline by name. @throws VT_PIPELINE_UNKNOWN with the nearest name */
export function pipelineNamed(definitions: Definitions, name: string): PipelineSpec {
  const pipeline = definitions.method.pipelines.get(name)
  if (pipeline) return pipeline
  const known = [...definitions.method.pipelines.keys()]
  throw new ValuetrainError('VT_PIPELINE_UNKNOWN', `there is no pipeline "${name}"${didYouMean(name, known)}`, {
    kind: 'config',
    hint: `known pipelines: ${known.join(', ')}`,
  })
}

/** Returns what one phase asks: the gates to judge and their marks for the log. */
export function phaseGates(definitions: Definitions, pipeline: PipelineSpec, name: string): ReturnType<typeof requiredGates> {
  const phase = phaseOf(pipeline, name)
  return requiredGates({ gates: definitions.gates, config: definitions.config, method: definitions.method, pipeline, phase })
}

/** Returns every gate of a stretch's phases once, without those that people answer: their answers stand in the log. */
export function stretchGates(
  definitions: Definitions,
  pipeline: string,
  stretch: readonly string[],
): { specs: GateSpec[]; required: RequiredGate[] } {
  const phases = pipelineNamed(definitions, pipeline)
  const specs = new Map<string, GateSpec>()
  const required = new Map<string, RequiredGate>()
  for (const phase of stretch) {
    const asked = phaseGates(definitions, phases, phase)
    for (const spec of asked.specs) {
      // What a later phase asks, too, is judged in its place there: `required-items` looks at what was judged before it.
      specs.delete(spec.id)
      if (spec.kind.type !== 'human') specs.set(spec.id, spec)
    }
    for (const gate of asked.required) if (!gate.human) required.set(gate.gate, gate)
  }
  return { specs: [...specs.values()], required: [...required.values()] }
}
