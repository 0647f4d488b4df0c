import { type Config, defaultConfig } from '../core/config.ts'
import type { Runtime } from '../core/contracts/runtime.ts'
import { agentsOf } from './agents.ts'
import { acpRuntime } from './runtimes/acp.ts'
import { execRuntime } from './runtimes/exec.ts'
import { loopRuntime } from './runtimes/loop.ts'
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
  config?: Pick<Config, 'agents' | 'protected'> & Partial<Pick<Config, 'models' | 'budgets'>>
}

/** Returns every runtime there is, as a plain list: the repository's own, then the built-in ones. */
export function listRuntimes({
  env,
  script,
  extensions = [],
  config = { agents: {}, protected: [] },
}: RegistryOptions): readonly Runtime[] {
  const { models = defaultConfig().models, budgets = {} } = config
  const surroundings = { env, isLimited: Object.values(budgets).some((usd) => usd !== null) }
  const agents = agentsOf(config).map((spec) => {
    if (spec.protocol === 'acp') return acpRuntime(spec, surroundings, config.protected)
    if (spec.protocol === 'exec') return execRuntime(spec, surroundings)
    return loopRuntime(spec, { env, model: models[spec.protocol], kept: config.protected })
  })
  const builtin = [recipeRuntime(), personRuntime({ env }), scriptedRuntime(script), ...agents]
  const replaced = new Set(extensions.map((runtime) => runtime.id))
  return [...extensions, ...builtin.filter((runtime) => !replaced.has(runtime.id))]
}
