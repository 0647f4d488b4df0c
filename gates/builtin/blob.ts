import type { NewBlob, View } from '../view.ts'

/** Bytes of content that are held at once. */
const PORTION = 32 * 1024 * 1024

/**
 * Gives the contents of blobs one by one, read in portions, so that memory stays bounded whatever a range brings. A blob of
 * gigabytes is only ever measured: leave out what is larger than you can use.
 */
export async function* contentsOf(view: View, blobs: readonly NewBlob[]): AsyncGenerator<{ blob: NewBlob; content: Buffer }> {
  let portion: NewBlob[] = []
  let bytes = 0
  const read = async () => {
    const contents = await view.blobs(portion.map(({ id }) => id))
    const found = portion.flatMap((blob, index) => (contents[index] === undefined ? [] : [{ blob, content: contents[index] }]))
    portion = []
    bytes = 0
    return found
  }
  for (const blob of blobs) {
    if (portion.length > 0 && bytes + blob.bytes > PORTION) yield* await read()
    portion.push(blob)
    bytes += blob.bytes
  }
  if (portion.length > 0) yield* await read()
}

/** Bytes that an LFS pointer stays below. */
export const LFS_POINTER_BYTES = 1024

/** Tells whether a content is an LFS pointer. @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
export function isLfsPointer(content: Uint8Array): boolean {
  return (
    content.length < LFS_POINTER_BYTES &&
    Buffer.from(content).toString('utf8').startsWith('version https://git-lfs.github.com/spec/v1\n')
  )
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
