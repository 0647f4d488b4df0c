import type { Git } from './git.ts'

/**
 * Returns the contents of blobs, in one call of git for all of them: undefined where there is none, or where the
 * name stands for a folder or a submodule.
 *
 * @param specs object ids, or `<revision>:<path>` with any path
 */
export async function readBlobs(git: Git, specs: readonly string[]): Promise<(Buffer | undefined)[]> {
  if (specs.length === 0) return []
  const input = specs.map((spec) => `${spec}\0`).join('')
  const output = await git.bytes(['cat-file', '--batch', '-z'], { input })
  let at = 0
  return specs.map((spec) => {
    // git repeats the name of what it does not find, and that name may hold line breaks.
    const absent = ['missing', 'ambiguous'].map((word) => Buffer.from(`${spec} ${word}\n`))
    const miss = absent.find((line) => output.subarray(at, at + line.length).equals(line))
    if (miss) {
      at += miss.length
      return undefined
    }
    const end = output.indexOf(0x0a, at)
    const [, type, size] = output.subarray(at, end).toString('latin1').split(' ')
    const content = output.subarray(end + 1, end + 1 + Number(size))
    at = end + 1 + Number(size) + 1
    return type === 'blob' ? content : undefined
  })
}

/** Returns the sizes in bytes of those ids that are blobs and are here, in one call of git. */
export async function blobSizes(git: Git, ids: readonly string[]): Promise<Map<string, number>> {
  if (ids.length === 0) return new Map()
  const check = ['cat-file', '--batch-check=%(objecttype) %(objectname) %(objectsize)']
  const lines = (await git.text(check, { input: `${ids.join('\n')}\n` })).split('\n')
  return new Map(
    lines.flatMap((line) => {
      const [type, id = '', size] = line.split(' ')
      return type === 'blob' ? [[id, Number(size)] as const] : []
    }),
  )
}
