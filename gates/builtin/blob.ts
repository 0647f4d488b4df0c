import type { View } from '../view.ts'

export interface SizedBlob {
  id: string
  path: string
  bytes: number
  content: Buffer
}

/**
 * Returns the blobs that the range's history brings, commits in between included, without LFS pointers,
 * which are a few lines of text wherever the file itself lies.
 */
export async function sizedBlobs(view: View): Promise<SizedBlob[]> {
  const blobs = await view.newBlobs()
  const contents = await view.blobs(blobs.map(({ id }) => id))
  return blobs.flatMap(({ id, path }, index) => {
    const content = contents[index]
    return content === undefined ? [] : [{ id, path, bytes: content.length, content }]
  })
}

/** Tells whether a content is an LFS pointer. @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export function isLfsPointer(content: Uint8Array): boolean {
  return content.length < 1024 && Buffer.from(content).toString('utf8').startsWith('version https://git-lfs.github.com/spec/v1\n')
}

/** Tells whether a content is not text, by git's own rule: a NUL among the first 8,000 bytes. */
export function isBinary(content: Uint8Array): boolean {
  return content.subarray(0, 8000).includes(0)
}

/** Tells whether a path is an image of at most `limit` bytes. */
export function isSmallImage(path: string, bytes: number, limit: number): boolean {
  return /\.(?:png|jpe?g|gif|webp|svg|avif|ico)$/i.test(path) && bytes <= limit
}

/** Returns a size for people: bytes, kB or MB of a thousand. */
export function describeSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1_000_000 ? `${+(bytes / 1000).toFixed(1)} kB` : `${+(bytes / 1_000_000).toFixed(1)} MB`
}
