// Written by scripts/zones.mjs from data/zones.csv; change the data and run the script.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zoneOf } from '../src/zones.ts'

test('every country of the data is in its zone', () => {
  assert.equal(zoneOf('AT'), 'domestic')
  assert.equal(zoneOf('BE'), 'europe')
  assert.equal(zoneOf('CH'), 'europe')
  assert.equal(zoneOf('CZ'), 'neighbour')
  assert.equal(zoneOf('DE'), 'neighbour')
  assert.equal(zoneOf('ES'), 'europe')
  assert.equal(zoneOf('FR'), 'europe')
  assert.equal(zoneOf('HU'), 'neighbour')
  assert.equal(zoneOf('IT'), 'neighbour')
  assert.equal(zoneOf('JP'), 'world')
  assert.equal(zoneOf('NL'), 'europe')
  assert.equal(zoneOf('PL'), 'europe')
  assert.equal(zoneOf('SI'), 'neighbour')
  assert.equal(zoneOf('SK'), 'neighbour')
  assert.equal(zoneOf('US'), 'world')
})

test('a country that is not listed is far away', () => {
  assert.equal(zoneOf('NZ'), 'world')
})
