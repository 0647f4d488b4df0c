import { normalCdf, normalDensity } from '../stats/distributions.ts'

/** Half-width of the quadrature in standard deviations; beyond it lies 2e-9 of the mass. */
const REACH = 6
const STEPS = 48

/**
 * Returns for each arm the chance that its value is the largest, values being independent normals: the propensities of
 * Thompson sampling, by quadrature instead of draws, so that they are exact enough to log and the same every time.
 *
 * @param means      one an arm
 * @param deviations one an arm, at least 0
 * @returns sums to 1
 */
export function chanceOfBest(means: ArrayLike<number>, deviations: ArrayLike<number>): Float64Array {
  const n = means.length
  const chances = new Float64Array(n)
  let floor = Number.NEGATIVE_INFINITY
  let scale = 0
  for (let i = 0; i < n; i++) {
    floor = Math.max(floor, (means[i] as number) - REACH * (deviations[i] as number))
    scale = Math.max(scale, Math.abs(means[i] as number), deviations[i] as number)
  }
  const least = Math.max(scale, 1e-300) * 1e-9
  const alive: number[] = []
  for (let i = 0; i < n; i++) if ((means[i] as number) + REACH * Math.max(least, deviations[i] as number) >= floor) alive.push(i)
  let total = 0
  for (const i of alive) {
    const deviation = Math.max(least, deviations[i] as number)
    let chance = 0
    for (let k = 0; k <= STEPS; k++) {
      const z = -REACH + (2 * REACH * k) / STEPS
      const value = (means[i] as number) + deviation * z
      let product = normalDensity(z)
      for (const j of alive) {
        if (j === i || product < 1e-14) continue
        product *= normalCdf((value - (means[j] as number)) / Math.max(least, deviations[j] as number))
      }
      chance += product
    }
    chances[i] = chance
    total += chance
  }
  for (let i = 0; i < n; i++) chances[i] = (chances[i] as number) / total
  return chances
}
