// Written by scripts/zones.mjs from data/zones.csv; change the data and run the script.

/** How far a parcel goes. */
export type Zone = 'domestic' | 'neighbour' | 'europe' | 'world'

/** Zone by ISO 3166-1 alpha-2 country code. */
export const ZONES: Readonly<Record<string, Zone>> = {
  AT: 'domestic',
  BE: 'europe',
  CH: 'europe',
  CZ: 'neighbour',
  DE: 'neighbour',
  ES: 'europe',
  FR: 'europe',
  HU: 'neighbour',
  IT: 'neighbour',
  JP: 'world',
  NL: 'europe',
  PL: 'europe',
  SI: 'neighbour',
  SK: 'neighbour',
  US: 'world',
}

/** Returns the zone of a country; what the table does not list is far away. */
export function zoneOf(country: string): Zone {
  return ZONES[country] ?? 'world'
}
