import type { Cents } from './money.ts'
import type { Zone } from './zones.ts'

export type Service = 'economy' | 'express'

/** Price of a parcel up to a weight. */
export interface Band {
  upToGrams: number
  cents: Cents
}

/** The price list: for each service and zone its bands, lightest first. */
export const RATES: Readonly<Record<Service, Readonly<Record<Zone, readonly Band[]>>>> = {
  economy: {
    domestic: bands(430, 590, 890),
    neighbour: bands(790, 1150, 1790),
    europe: bands(990, 1490, 2350),
    world: bands(1690, 2850, 4990),
  },
  express: {
    domestic: bands(890, 1150, 1650),
    neighbour: bands(1590, 2250, 3390),
    europe: bands(1990, 2950, 4450),
    world: bands(3490, 5750, 9950),
  },
}

/**
 * Returns the band that a parcel falls in.
 *
 * @throws RangeError when the weight is not positive or above the heaviest band
 */
export function bandOf(service: Service, zone: Zone, grams: number): Band {
  if (!(grams > 0)) throw new RangeError(`a parcel weighs more than nothing, not ${grams} g`)
  const band = RATES[service][zone].find(({ upToGrams }) => grams <= upToGrams)
  if (band === undefined) throw new RangeError(`no ${service} rate carries ${grams} g; the heaviest parcel is 10000 g`)
  return band
}

function bands(light: Cents, medium: Cents, heavy: Cents): readonly Band[] {
  return [
    { upToGrams: 1000, cents: light },
    { upToGrams: 5000, cents: medium },
    { upToGrams: 10_000, cents: heavy },
  ]
}
