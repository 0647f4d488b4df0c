import type { Config } from '../core/config.ts'
import type { Runtime } from '../core/contracts/runtime.ts'
import { agentsOf } from './agents.ts'
import { acpRuntime } from './runtimes/acp.ts'
import { execRuntime } from './runtimes/exec.ts'
import { personRuntime } from './runtimes/person.ts'
import { recipeRuntime } from './runtimes/recipe.ts'
import type { ScriptInput } from './runtimes/script.ts'
import { scriptedRuntime } from './runtimes/scripted.ts'

export interface RegistryOptions {
  /** Environment that git starts from. */
  env: NodeJS.ProcessEnv
  /** Script of the committed base, from `loadScript`. */
  script: ScriptInput | undefined
  /** Runtimes of the repository's own extensions; one with the id of a built-in runtime takes its place. */
  extensions?: readonly Runtime[]
  /** Of the committed base; names agents of the repository's own. */
  config?: Pick<Config, 'agents' | 'protected'>
}

/** Returns every runtime there is, as a plain list: the repository's own, then the built-in ones. */
export function listRuntimes({
  env,
  script,
  extensions = [],
  config = { agents: {}, protected: [] },
}: RegistryOptions): readonly Runtime[] {
  const agents = agentsOf(config).map((spec) =>
    spec.protocol === 'acp' ? acpRuntime(spec, env, config.protected) : execRuntime(spec, env),
  )
  const builtin = [recipeRuntime(), personRuntime({ env }), scriptedRuntime(script), ...agents]
  const replaced = new Set(extensions.map((runtime) => runtime.id))
  return [...extensions, ...builtin.filter((runtime) => !replaced.has(runtime.id))]
}
