import type { Config } from '../core/config.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { Runtime, TurnRequest } from '../core/contracts/runtime.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'

const RECIPE = 'recipe:'
const AGENT = 'agent:'

/** Who works an issue, with the commands where that is a recipe; or what the issue needs first. */
export type Choice = { runtime: Runtime; recipe: TurnRequest['recipe'] } | { needs: string }

export interface ChoiceFacts {
  /** Of the committed base; what lies uncommitted in a working tree is not used. */
  config: Pick<Config, 'agent' | 'recipes'>
  /** What the command line says, `--agent R`. */
  override?: string | undefined
  runtimes: readonly Runtime[]
}

/**
 * Returns the runtime for an issue: what the command line says, else its `recipe:` or `agent:` label, else the configured
 * agent. A label only names a recipe of the committed configuration; an issue can never bring commands of its own.
 *
 * @throws VT_RUNTIME_UNKNOWN when the command line or the configuration names a runtime there is not
 */
export function chooseRuntime(issue: Pick<Issue, 'number' | 'labels'>, { config, override, runtimes }: ChoiceFacts): Choice {
  const wish = override === undefined ? wishOf(issue, config) : { id: override, by: '--agent' }
  if ('needs' in wish) return wish
  const runtime = runtimes.find((candidate) => candidate.id === wish.id)
  if (runtime === undefined) {
    if (wish.by === 'label') return { needs: `the label \`${AGENT}${wish.id}\` names no runtime${near(wish.id, runtimes)}` }
    throw unknownRuntime(wish.id, wish.by, runtimes)
  }
  const { accepted, why } = runtime.accepts(issue, config.recipes)
  return accepted ? { runtime, recipe: recipeOf(issue.labels, config.recipes) } : { needs: why }
}

/** Returns the one recipe that the labels name and the configuration has; undefined otherwise. */
export function recipeOf(labels: readonly string[], recipes: Config['recipes']): TurnRequest['recipe'] {
  const [name, ...more] = recipeNames(labels)
  const commands = name === undefined || more.length > 0 || !Object.hasOwn(recipes, name) ? undefined : recipes[name]
  return commands === undefined ? undefined : { name: name as string, commands }
}

/**
 * Returns why the labels name no recipe that can be run, or undefined when they do. The answer says what to do.
 *
 * @param known names of the committed configuration's recipes
 */
export function recipeProblem(labels: readonly string[], known: readonly string[]): string | undefined {
  const names = recipeNames(labels)
  const [name] = names
  const list = known.length === 0 ? 'the committed configuration has none' : `known: ${[...known].sort().join(', ')}`
  if (name === undefined) return `label it \`${RECIPE}<name>\` (${list})`
  if (names.length > 1) return `keep one of its labels ${names.map((each) => `\`${RECIPE}${each}\``).join(' and ')}`
  if (known.includes(name)) return undefined
  return `the label \`${RECIPE}${name}\` names no recipe${didYouMean(name, known)} (${list}); add it to \`recipes\` and commit that`
}

function wishOf(
  issue: Pick<Issue, 'labels'>,
  config: ChoiceFacts['config'],
): { id: string; by: 'label' | 'agent' } | { needs: string } {
  const agents = namesAfter(AGENT, issue.labels)
  const known = Object.keys(config.recipes)
  if (agents.length + recipeNames(issue.labels).length > 1) {
    const labels = issue.labels.filter((label) => label.startsWith(AGENT) || label.startsWith(RECIPE))
    return { needs: `keep one of its labels ${labels.map((label) => `\`${label}\``).join(' and ')}` }
  }
  if (recipeNames(issue.labels).length > 0) {
    const problem = recipeProblem(issue.labels, known)
    return problem === undefined ? { id: 'recipe', by: 'label' } : { needs: problem }
  }
  if (agents[0] !== undefined) return { id: agents[0], by: 'label' }
  if (config.agent !== null) return { id: config.agent, by: 'agent' }
  return { needs: `${recipeProblem([], known)} or \`${AGENT}<runtime>\`, or set \`agent\` in .valuetrain/config.yaml` }
}

function recipeNames(labels: readonly string[]): string[] {
  return namesAfter(RECIPE, labels)
}

function namesAfter(prefix: string, labels: readonly string[]): string[] {
  return [...new Set(labels.filter((label) => label.startsWith(prefix)).map((label) => label.slice(prefix.length).trim()))]
}

function near(id: string, runtimes: readonly Runtime[]): string {
  const ids = runtimes.map((runtime) => runtime.id)
  return `${didYouMean(id, ids)} (known: ${ids.join(', ')})`
}

function unknownRuntime(id: string, by: string, runtimes: readonly Runtime[]): ValuetrainError {
  const inConfig = by === 'agent'
  return new ValuetrainError(
    'VT_RUNTIME_UNKNOWN',
    `${inConfig ? '.valuetrain/config.yaml: agent' : by}: there is no runtime "${id.slice(0, 80)}"${near(id, runtimes)}`,
    {
      kind: inConfig ? 'config' : 'user',
      hint: inConfig ? 'set it with `valuetrain config set agent <runtime>` and commit that' : 'give one of the known runtimes',
    },
  )
}
