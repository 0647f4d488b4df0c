import { createHash } from 'node:crypto'

/** Who answers a request. */
export type Arm = 'champion' | 'challenger'

/**
 * Returns who answers a key: the same key gets the same answerer as long as the share stays, and a key that had the
 * challenger keeps it when the share grows.
 *
 * @param share of keys that the challenger answers, in [0, 1]
 */
export function armOf(policy: string, key: string, share: number): Arm {
  if (share <= 0) return 'champion'
  const place = createHash('sha256').update(`${policy}\n${key}`).digest().readUInt32BE(0) / 4294967296
  return place < share ? 'challenger' : 'champion'
}
