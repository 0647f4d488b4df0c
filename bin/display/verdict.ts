import type { GateResult, Standing } from '../../core/contracts/gate.ts'
import type { Paint } from './paint.ts'
import { clean, duration, shorten } from './text.ts'

/** Returns a verdict as a word, coloured by what it means. */
export function verdictWord(verdict: Standing, paint: Paint, severity: 'block' | 'warn' = 'block'): string {
  if (verdict === 'pass') return paint.good(verdict)
  if (verdict === 'fail' || verdict === 'inconclusive') return severity === 'warn' ? paint.warn(verdict) : paint.bad(verdict)
  return verdict === 'waived' || verdict === 'stale' ? paint.warn(verdict) : paint.dim(verdict)
}

/** Returns one gate's result as cells of a table: verdict, gate, time, and why. */
export function resultRow(result: GateResult, paint: Paint): string[] {
  const { verdict, gate, severity, reasons, evidence } = result
  const took = evidence.durationMs === undefined ? '' : duration(evidence.durationMs)
  const why = shorten(reasons.map(clean).join('; '), 160)
  return [
    verdictWord(verdict, paint, severity),
    gate,
    paint.dim(took),
    verdict === 'pass' || verdict === 'not-applicable' ? paint.dim(why) : why,
  ]
}
