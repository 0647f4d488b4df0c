import type { TurnOutcome, TurnRequest } from '../../core/contracts/runtime.ts'
import type { FinalWord } from '../dialects/index.ts'

/** Everything a turn of an agent is judged by. */
export interface AgentEnd {
  name: string
  /** What ended the process, where that was not the agent itself; from `outcomeOf`. */
  stopped: { outcome: TurnOutcome; what: string } | undefined
  final: FinalWord | undefined
  /** Whether its protocol ends with a final word at all. */
  hasFinalWord: boolean
  changed: boolean
  spoilt?: string | undefined
  refused: readonly { tool: string }[]
}

/**
 * Judges a turn by the agent's final word, its exit code and what really changed, together: agents exit with 0 after errors
 * of the model, say success after errors of the API, and say done when every edit was refused.
 */
export function judgeAgent(
  { name, stopped, final, hasFinalWord, changed, spoilt, refused }: AgentEnd,
  { tools = ['read', 'write'] }: Pick<TurnRequest, 'tools'>,
): { outcome: TurnOutcome; reason: string; until?: string } {
  if (stopped && stopped.outcome !== 'failed') return { outcome: stopped.outcome, reason: `${name} ${stopped.what}` }
  if (final?.limit) {
    const { until } = final.limit
    return { outcome: 'limited', reason: `${name} has reached a usage limit: ${short(final.said)}`, ...(until ? { until } : {}) }
  }
  const failed = (what: string) => ({ outcome: 'failed' as const, reason: `${name} ${what}` })
  if (final && !final.ok) return failed(`says it failed: ${short(final.said)}`)
  if (stopped) return failed(stopped.what)
  if (hasFinalWord && final === undefined) return failed('ended without saying how')
  if (spoilt !== undefined) return failed(`is not to do this: ${spoilt}`)
  if (!changed && tools.includes('write')) {
    const why = refused.length > 0 ? `; refused: ${[...new Set(refused.map(({ tool }) => tool))].join(', ').slice(0, 200)}` : ''
    return failed(`says it is done and has changed nothing${why}`)
  }
  return { outcome: 'completed', reason: `${name} says it is done${changed ? ' and has changed files' : ''}` }
}

function short(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 300) || 'no reason given'
}
