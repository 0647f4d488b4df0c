/** Money in whole cents; never a fraction. */
export type Cents = number

/**
 * Returns the nearest whole cent; exactly half goes to the even neighbour, as the carriers' contracts say. Rounding
 * half up would charge a cent too much on every other surcharge.
 */
export function roundHalfEven(value: number): Cents {
  const floor = Math.floor(value)
  const rest = value - floor
  // Products of percentages miss the exact half by a few bits.
  if (Math.abs(rest - 0.5) > 1e-9) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/** Returns an amount for people, with its currency: `formatMoney(123456, 'EUR')` is `1,234.56 EUR`. */
export function formatMoney(cents: Cents, currency: string): string {
  const sign = cents < 0 ? '-' : ''
  const whole = String(Math.floor(Math.abs(cents) / 100)).replace(/\B(?=(\d{3})+$)/g, ',')
  const fraction = String(Math.abs(cents) % 100).padStart(2, '0')
  return `${sign}${whole}.${fraction} ${currency}`
}

/**
 * Returns an amount in euros for people.
 *
 * @deprecated since 1.3, use `formatMoney`, which says the currency
 */
export function formatCents(cents: Cents): string {
  return formatMoney(cents, 'EUR')
}
