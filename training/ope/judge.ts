import type { Verdict } from '../../core/contracts/gate.ts'
import type { OpeReport } from './estimate.ts'

export interface OffPolicyJudgement {
  verdict: Verdict
  reasons: readonly string[]
}

/**
 * Returns whether a policy may be promoted on logged choices alone: the log is worth enough choices of the policy's own
 * (100 and 20 % of the log), the doubly robust and the self-normalised estimate agree, and the lower bounds of both are
 * above the champion's value.
 *
 * Too little overlap is no verdict, not a failure: the policy may be good, this log cannot say.
 */
export function judgeOffPolicy(report: OpeReport, championValue: number): OffPolicyJudgement {
  const { dr, snips } = report.estimates
  const show = (value: number) => String(Number(value.toPrecision(4)))
  const needed = Math.max(100, 0.2 * report.n)
  const weights = `largest weight ${show(report.largestWeight)}${report.clipped === 0 ? '' : `, ${report.clipped} weights cut`}`
  if (report.effectiveN < needed) {
    return {
      verdict: 'inconclusive',
      reasons: [
        `no verdict: ${report.n} choices are worth ${show(report.effectiveN)} of this policy's own, ${show(needed)} are needed; ${weights}`,
      ],
    }
  }
  if (dr.low > snips.high || snips.low > dr.high) {
    return {
      verdict: 'inconclusive',
      reasons: [
        `no verdict: doubly robust ${show(dr.estimate)} and self-normalised ${show(snips.estimate)} do not agree within their intervals; ${weights}`,
      ],
    }
  }
  const low = Math.min(dr.low, snips.low)
  const passed = low > championValue
  return {
    verdict: passed ? 'pass' : 'fail',
    reasons: [
      `value ${show(dr.estimate)} (doubly robust), ${show(snips.estimate)} (self-normalised), lower bound ${show(low)} ${passed ? 'above' : 'not above'} ${show(championValue)}; worth ${show(report.effectiveN)} choices, ${weights}`,
    ],
  }
}
