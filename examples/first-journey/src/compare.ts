import { formatCents } from './money.ts'
import { type Parcel, quote } from './quote.ts'

/** Returns what express costs more than economy, as a sentence for the order page. */
export function expressExtra(parcel: Omit<Parcel, 'service'>): string {
  const economy = quote({ ...parcel, service: 'economy' }).total
  const express = quote({ ...parcel, service: 'express' }).total
  return `Express for ${formatCents(express - economy)} more`
}
