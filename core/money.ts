const DECIMALS = 12

/**
 * Returns US dollars as whole pico-dollars, in which sums are exact: a price of six decimals a million tokens is a
 * whole number a token. What is taken is the number as it is written, not the binary fraction nearest to it.
 *
 * @param usd not negative; every pico-dollar is kept up to 8,000 dollars, above that what a double can hold
 */
export function picoOf(usd: number): bigint {
  const written = String(usd)
  const isPlain = /^\d+(\.\d{1,12})?$/.test(written)
  const [whole = '0', part = ''] = (isPlain ? written : usd.toFixed(DECIMALS)).split('.')
  return BigInt(whole + part.padEnd(DECIMALS, '0'))
}

/** Returns pico-dollars, not negative, as US dollars. */
export function usdOf(pico: bigint): number {
  const digits = String(pico).padStart(DECIMALS + 1, '0')
  return Number(`${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`)
}
