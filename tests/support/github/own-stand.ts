import { afterAll, beforeAll, expect } from 'vitest'
import { openStand, type Stand } from './stand.ts'

/**
 * Opens a stand for the tests of a file and closes it after them; every request that was made has to be one that GitHub
 * describes.
 *
 * @param take is given the stand before the first test
 */
export function ownStand(take: (stand: Stand) => void): void {
  let stand: Stand
  beforeAll(async () => {
    stand = await openStand()
    take(stand)
  })
  afterAll(async () => {
    await stand.close()
    expect(stand.violations()).toEqual([])
  })
}
