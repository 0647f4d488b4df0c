import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatCents, formatMoney, roundHalfEven } from '../src/money.ts'

test('half a cent goes to the even neighbour', () => {
  const rounded = [0.5, 1.5, 2.5, 12.5, 13.5, 143.75, 198.75].map(roundHalfEven)
  assert.deepEqual(rounded, [0, 2, 2, 12, 14, 144, 199])
})

test('an amount is shown with thousands, two decimals and its currency', () => {
  assert.equal(formatMoney(123456, 'EUR'), '1,234.56 EUR')
  assert.equal(formatMoney(-5, 'CHF'), '-0.05 CHF')
})

test('the deprecated name still shows euros', () => {
  assert.equal(formatCents(990), '9.90 EUR')
})
