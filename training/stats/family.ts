/** Several looks and several candidates: one error rate for all of them together. */

/** One hypothesis of a family after correction. */
export interface Adjusted {
  id: string
  p: number
  /** The p-value to hold against the family's level. */
  adjusted: number
  rejected: boolean
}

/**
 * Returns Holm's step-down correction: the chance of even one false rejection in the family is at most `level`.
 *
 * @returns in the order given
 * @see Holm 1979, Scand. J. Statist. 6
 */
export function holm(hypotheses: readonly { id: string; p: number }[], level = 0.05): Adjusted[] {
  const order = hypotheses.map((_, i) => i).sort((a, b) => pAt(hypotheses, a) - pAt(hypotheses, b) || a - b)
  const adjusted = new Map<number, number>()
  let highest = 0
  order.forEach((index, rank) => {
    highest = Math.max(highest, Math.min(1, (hypotheses.length - rank) * pAt(hypotheses, index)))
    adjusted.set(index, highest)
  })
  return hypotheses.map(({ id, p }, i) => {
    const value = adjusted.get(i) ?? 1
    return { id, p, adjusted: value, rejected: value <= level }
  })
}

function pAt(hypotheses: readonly { p: number }[], index: number): number {
  return hypotheses[index]?.p ?? 1
}
