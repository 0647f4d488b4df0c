/**
 * Returns US dollars as whole pico-dollars, in which sums are exact: a price of six decimals a million tokens is a
 * whole number a token.
 *
 * @param usd up to 9,000 dollars keep every pico-dollar; above, what a double can hold
 */
export function picoOf(usd: number): bigint {
  return BigInt(Math.round(usd * 1e12))
}

/** Returns pico-dollars as US dollars. */
export function usdOf(pico: bigint): number {
  return Number(pico) / 1e12
}
