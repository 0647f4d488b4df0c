import { type Cents, roundHalfEven } from './money.ts'
import { bandOf, type Service } from './rates.ts'
import { type Zone, zoneOf } from './zones.ts'

/** What is to be sent. */
export interface Parcel {
  /** ISO 3166-1 alpha-2 code of the country it goes to. */
  country: string
  grams: number
  service: Service
}

/** What it costs, part by part, in whole cents. */
export interface Quote {
  zone: Zone
  base: Cents
  fuel: Cents
  tax: Cents
  total: Cents
}

/** Share of the base price, by service. */
const FUEL = { economy: 0.05, express: 0.125 } as const
/** Share of base and fuel; exports are free of it. */
const TAX = 0.2

/**
 * Returns the price of a parcel. Each part is rounded by itself, as it stands on the invoice.
 *
 * @throws RangeError when no band carries the weight
 */
export function quote({ country, grams, service }: Parcel): Quote {
  const zone = zoneOf(country)
  const base = bandOf(service, zone, grams).cents
  const fuel = roundHalfEven(base * FUEL[service])
  const tax = zone === 'domestic' ? roundHalfEven((base + fuel) * TAX) : 0
  return { zone, base, fuel, tax, total: base + fuel + tax }
}
