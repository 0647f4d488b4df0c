/** Records of judges and of model calls, held against what makes a score or a sample mean nothing. */
import type { Anomaly } from './watch.ts'

/** One judgement of one answer; the same case several times is the same answer judged again. */
export interface Judgement {
  case: string
  verdict: string | number | boolean
}

/** One call of a model within a rollout, in tokens. */
export interface ModelCall {
  rollout: string
  prompt: readonly number[]
  response: readonly number[]
}

/** Share of repeats that have to agree. */
const AGREEMENT = 0.8

/** Returns T501 when a judge that sees the same answer twice contradicts itself too often. */
export function judgeDisagreement(judgements: readonly Judgement[]): Anomaly[] {
  const cases = new Map<string, Judgement['verdict'][]>()
  for (const { case: id, verdict } of judgements) cases.set(id, [...(cases.get(id) ?? []), verdict])
  let [pairs, agreed] = [0, 0]
  const split: string[] = []
  for (const [id, verdicts] of cases) {
    verdicts.forEach((a, n) => {
      for (const b of verdicts.slice(n + 1)) {
        pairs++
        if (a === b) agreed++
      }
    })
    if (new Set(verdicts).size > 1) split.push(id)
  }
  if (pairs === 0 || agreed / pairs >= AGREEMENT) return []
  const share = Math.round((1000 * agreed) / pairs) / 10
  return [
    {
      code: 'T501',
      evidence: `the judge agreed with itself in ${share} % of ${pairs} repeats, below ${100 * AGREEMENT} %; first at ${split.slice(0, 5).join(', ')}`,
    },
  ]
}

/** Returns T601 when a call's prompt does not go on from the prompt and response before it, token by token. */
export function tokenDrift(calls: readonly ModelCall[]): Anomaly[] {
  const before = new Map<string, readonly number[]>()
  const drifted: string[] = []
  let followed = 0
  for (const { rollout, prompt, response } of calls) {
    const said = before.get(rollout)
    if (said !== undefined) {
      followed++
      const at = said.findIndex((token, n) => prompt[n] !== token)
      if (at >= 0) drifted.push(`rollout ${rollout} at token ${at + 1}`)
    }
    before.set(rollout, [...prompt, ...response])
  }
  if (drifted.length === 0) return []
  const share = Math.round((1000 * drifted.length) / followed) / 10
  return [
    {
      code: 'T601',
      evidence: `${drifted.length} of ${followed} prompts (${share} %) do not extend what was said before: ${drifted.slice(0, 5).join(', ')}`,
    },
  ]
}
