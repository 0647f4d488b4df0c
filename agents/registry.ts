import type { Runtime } from '../core/contracts/runtime.ts'
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
}

/** Returns every runtime there is, as a plain list: the repository's own, then the built-in ones. */
export function listRuntimes({ env, script, extensions = [] }: RegistryOptions): readonly Runtime[] {
  const builtin = [recipeRuntime(), personRuntime({ env }), scriptedRuntime(script)]
  const replaced = new Set(extensions.map((runtime) => runtime.id))
  return [...extensions, ...builtin.filter((runtime) => !replaced.has(runtime.id))]
}
