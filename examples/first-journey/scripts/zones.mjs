// Writes src/zones.ts and test/zones.test.ts from data/zones.csv, so that the table and its test cannot drift apart from the data.
// Run it with `node scripts/zones.mjs`; a second run changes nothing.

import { readFileSync, writeFileSync } from 'node:fs'

const ZONES = ['domestic', 'neighbour', 'europe', 'world']

const rows = readFileSync('data/zones.csv', 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line, index) => {
    const [country, zone] = line.trim().split(',')
    if (!/^[A-Z]{2}$/.test(country) || !ZONES.includes(zone)) {
      throw new Error(`data/zones.csv, line ${index + 2}: "${line}" is not a country code and one of ${ZONES.join(', ')}`)
    }
    return { country, zone }
  })
  .sort((a, b) => (a.country < b.country ? -1 : 1))

const note = '// Written by scripts/zones.mjs from data/zones.csv; change the data and run the script.'

const table = `${note}

/** How far a parcel goes. */
export type Zone = ${ZONES.map((zone) => `'${zone}'`).join(' | ')}

/** Zone by ISO 3166-1 alpha-2 country code. */
export const ZONES: Readonly<Record<string, Zone>> = {
${rows.map(({ country, zone }) => `  ${country}: '${zone}',`).join('\n')}
}

/** Returns the zone of a country; what the table does not list is far away. */
export function zoneOf(country: string): Zone {
  return ZONES[country] ?? 'world'
}
`

const test = `${note}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zoneOf } from '../src/zones.ts'

test('every country of the data is in its zone', () => {
${rows.map(({ country, zone }) => `  assert.equal(zoneOf('${country}'), '${zone}')`).join('\n')}
})

test('a country that is not listed is far away', () => {
  assert.equal(zoneOf('NZ'), 'world')
})
`

let written = 0
for (const [file, content] of [
  ['src/zones.ts', table],
  ['test/zones.test.ts', test],
]) {
  if (readFileSync(file, 'utf8') === content) continue
  writeFileSync(file, content)
  written++
}
console.log(`${rows.length} countries, ${written} of 2 files brought up to date`)
