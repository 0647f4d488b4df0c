import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expressExtra } from '../src/compare.ts'
import { receipt } from '../src/receipt.ts'

test('a receipt shows every part that costs something', () => {
  assert.deepEqual(receipt({ country: 'AT', grams: 800, service: 'economy' }), [
    'economy to AT (domestic): 4.30 EUR',
    'fuel: 0.22 EUR',
    'tax: 0.90 EUR',
    'total: 5.42 EUR',
  ])
})

test('the order page says what express costs more', () => {
  assert.equal(expressExtra({ country: 'DE', grams: 900 }), 'Express for 9.59 EUR more')
})
