import type { Runtime, RuntimeEvent, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { runJailed } from '../../core/jail-run.ts'
import { recipeProblem } from '../choose.ts'
import { joinDigests, outcomeOf, tailOf } from './outcome.ts'

/**
 * Returns the runtime that works without a model: the commands of a recipe, one after another, in the ticket's worktree. The
 * first that fails ends the turn. The commands are those of the committed configuration; an issue only names the recipe.
 */
export function recipeRuntime(): Runtime {
  return {
    id: 'recipe',
    usesJail: true,
    title: 'a list of commands from the committed configuration',
    probe: async () => ({ ready: true, why: 'built in' }),
    accepts(issue, recipes) {
      const problem = recipeProblem(issue.labels, Object.keys(recipes))
      return problem === undefined ? { accepted: true, why: 'its label names a recipe' } : { accepted: false, why: problem }
    },
    turn: runRecipe,
  }
}

async function runRecipe(request: TurnRequest, onEvent: (event: RuntimeEvent) => void): Promise<TurnResult> {
  const { recipe } = request
  if (recipe === undefined) return { outcome: 'failed', reason: 'the issue names no recipe' }
  const digests: string[] = []
  let tail = ''
  let remainingMs = request.limits.totalMs
  onEvent({ type: 'started' })
  for (const [index, argv] of recipe.commands.entries()) {
    const summary = argv.join(' ')
    onEvent({ type: 'tool', name: 'run', summary, state: 'started' })
    const ran = await runJailed(request.jail, argv, {
      cwd: request.cwd,
      env: request.env,
      limits: { ...request.limits, totalMs: Math.max(1, remainingMs) },
      signal: request.signal,
      onOutput: (stream, text) => onEvent({ type: 'output', stream, text }),
    })
    remainingMs -= ran.durationMs
    digests.push(ran.outputDigest)
    tail = tailOf(`${tail}$ ${summary}\n${ran.outputTail.trimEnd()}\n`)
    const failure = outcomeOf(ran, request)
    onEvent({ type: 'tool', name: 'run', summary, state: failure === undefined ? 'done' : 'failed' })
    if (failure === undefined) continue
    return {
      outcome: failure.outcome,
      reason: `command ${index + 1} of ${recipe.commands.length} of recipe ${recipe.name} (${summary.slice(0, 200)}) ${failure.what}`,
      exit: ran.exit,
      ...(ran.signal ? { signal: ran.signal } : {}),
      outputDigest: joinDigests(digests),
      outputTail: tail,
    }
  }
  const count = recipe.commands.length
  return {
    outcome: 'completed',
    reason: `recipe ${recipe.name} ran ${count} command${count === 1 ? '' : 's'}`,
    exit: 0,
    outputDigest: joinDigests(digests),
    outputTail: tail,
  }
}
