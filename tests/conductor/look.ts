import { createHash } from 'node:crypto'
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Returns what says whether anything below these folders is another one than at the last look: a file, its size, its time.
 * Where nothing is, a kill leaves what a kill at the last look would have left.
 */
export function openLook(roots: readonly string[]): (isChanged?: boolean) => 'same' | 'changed' {
  let known: string | undefined
  return (isChanged = false) => {
    const now = digestOf(roots)
    const isSame = now !== undefined && now === known && !isChanged
    known = now
    return isSame ? 'same' : 'changed'
  }
}

/** In one go, so that nothing of this program happens meanwhile; undefined when another program removed what it was looking at. */
function digestOf(roots: readonly string[]): string | undefined {
  const hash = createHash('sha256')
  try {
    for (const root of roots) {
      for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
        const { ino, size, mode, mtimeNs } = lstatSync(join(root, name), { bigint: true })
        hash.update(`${name} ${ino} ${size} ${mode} ${mtimeNs}\n`)
      }
    }
  } catch {
    return undefined
  }
  return hash.digest('hex')
}
