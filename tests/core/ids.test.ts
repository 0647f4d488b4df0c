import { describe, expect, it } from 'vitest'
import { systemIds } from '../../core/ids.ts'

describe('ids of the system', () => {
  it('are ULIDs of their millisecond, each with randomness of its own, also after thousands', () => {
    let now = 1_790_000_000_000
    const ids = systemIds({ now: () => now++ })
    const drawn = Array.from({ length: 5_000 }, () => ids.ulid())
    expect(drawn.every((id) => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id))).toBe(true)
    expect([...drawn].sort()).toEqual(drawn)
    expect(new Set(drawn.map((id) => id.slice(10))).size).toBe(drawn.length)
    // Every place of the random part takes every one of the 32 characters.
    for (let place = 10; place < 26; place++) expect(new Set(drawn.map((id) => id[place])).size).toBe(32)
  })

  it('go on increasing within one millisecond', () => {
    const ids = systemIds({ now: () => 1_790_000_000_000 })
    const drawn = Array.from({ length: 1_000 }, () => ids.ulid())
    expect([...drawn].sort()).toEqual(drawn)
    expect(new Set(drawn).size).toBe(drawn.length)
  })
})
