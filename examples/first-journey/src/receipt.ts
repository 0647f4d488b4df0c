import { formatCents } from './money.ts'
import { type Parcel, quote } from './quote.ts'

/** Returns the lines of a receipt, one a part that costs something, the total last. */
export function receipt(parcel: Parcel): string[] {
  const { zone, base, fuel, tax, total } = quote(parcel)
  const lines = [`${parcel.service} to ${parcel.country} (${zone}): ${formatCents(base)}`, `fuel: ${formatCents(fuel)}`]
  if (tax > 0) lines.push(`tax: ${formatCents(tax)}`)
  return [...lines, `total: ${formatCents(total)}`]
}
