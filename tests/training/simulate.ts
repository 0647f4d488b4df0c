import { randomFrom } from '../../training/random.ts'
import type { Random } from '../../training/types.ts'

/** Whole simulations are for `VALUETRAIN_FULL=1`; the normal run samples them. */
export const FULL = process.env.VALUETRAIN_FULL === '1'

/** Prints what a test measured, in the whole runs and where it is asked for by `VALUETRAIN_SHOW=1`. */
export function tell(line: string): void {
  if (FULL || process.env.VALUETRAIN_SHOW === '1') process.stdout.write(`${line}\n`)
}

/** Returns the share of repetitions in which `happens` is true; each repetition has its own seeded stream. */
export function shareOf(name: string, repetitions: number, happens: (random: Random, repetition: number) => boolean): number {
  const origin = randomFrom(name)
  let count = 0
  for (let i = 0; i < repetitions; i++) if (happens(origin.split(String(i)), i)) count++
  tell(`${name}: ${count} of ${repetitions} = ${((100 * count) / repetitions).toFixed(2)} %`)
  return count / repetitions
}

/** Returns how far from a true share a simulated one may lie by chance: three standard errors. */
export function byChance(share: number, repetitions: number): number {
  return 3 * Math.sqrt((share * (1 - share)) / repetitions)
}
