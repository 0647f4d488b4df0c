import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { picoOf, usdOf } from '../../core/money.ts'

describe('money', () => {
  it('goes from pico-dollars to dollars and back without a loss, up to 8,000 dollars', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 8_000_000_000_000_000n }), (pico) => {
        expect(picoOf(usdOf(pico))).toBe(pico)
      }),
    )
  })

  it.each([
    [0, 0n],
    [1e-12, 1n],
    [7.5e-8, 75_000n],
    [0.1 + 0.2, 300_000_000_000n],
    [4106.377623, 4_106_377_623_000_000n],
    [1e9, 1_000_000_000_000_000_000_000n],
  ])('reads %s dollars as they are written', (usd, pico) => {
    expect(picoOf(usd)).toBe(pico)
  })
})
