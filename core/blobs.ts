import type { Git } from './git.ts'

/**
 * Returns the contents of blobs, in one call of git for all of them at most: undefined where there is none, or where the
 * name stands for a folder or a submodule.
 *
 * @param specs object ids, or `<revision>:<path>` with any path
 */
export async function readBlobs(git: Git, specs: readonly string[]): Promise<(Buffer | undefined)[]> {
  const read = await Promise.all(specs.map((spec) => git.objects?.read(spec)))
  const contents = read.map((found) => (typeof found === 'object' && found.type === 'blob' ? found.content : undefined))
  const open = specs.filter((_, at) => read[at] === undefined)
  if (open.length === 0) return contents
  const rest = await readAtOnce(git, open)
  return read.map((found, at) => (found === undefined ? rest.shift() : contents[at]))
}

/** Where nobody stays to be asked, or a name cannot be put to him. */
async function readAtOnce(git: Git, specs: readonly string[]): Promise<(Buffer | undefined)[]> {
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
  const looked = await Promise.all(ids.map((id) => git.objects?.look(id)))
  if (!looked.includes(undefined)) {
    const found = looked.filter((one) => typeof one === 'object')
    return new Map(found.flatMap(({ id, type, size }) => (type === 'blob' ? [[id, size] as const] : [])))
  }
  const check = ['cat-file', '--batch-check=%(objecttype) %(objectname) %(objectsize)']
  const lines = (await git.text(check, { input: `${ids.join('\n')}\n` })).split('\n')
  return new Map(
    lines.flatMap((line) => {
      const [type, id = '', size] = line.split(' ')
      return type === 'blob' ? [[id, Number(size)] as const] : []
    }),
  )
}

/** Tells whether this repository has an object. */
export async function hasObject(git: Git, id: string): Promise<boolean> {
  const found = await git.objects?.look(id)
  return found === undefined ? git.succeeds(['cat-file', '-e', id]) : found !== 'missing'
}
