import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quote } from '../src/quote.ts'

test('a domestic parcel pays fuel and tax, each rounded by itself', () => {
  const parcel = { country: 'AT', grams: 800, service: 'economy' } as const
  assert.deepEqual(quote(parcel), { zone: 'domestic', base: 430, fuel: 22, tax: 90, total: 542 })
})

test('an export pays no tax, and its fuel surcharge of 44.5 cents is 44', () => {
  const parcel = { country: 'AT', grams: 9000, service: 'economy' } as const
  assert.equal(quote(parcel).fuel, 44)
  const abroad = { country: 'DE', grams: 900, service: 'express' } as const
  assert.deepEqual(quote(abroad), { zone: 'neighbour', base: 1590, fuel: 199, tax: 0, total: 1789 })
})

test('what is heavier than the price list knows is refused', () => {
  assert.throws(() => quote({ country: 'US', grams: 10_001, service: 'economy' }), /heaviest parcel is 10000 g/)
})
