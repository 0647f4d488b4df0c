/**
 * Files of a run that are too large for plain git. To 1 MB they lie in the tree as they are, to 50 MB as well where the
 * tree routes them to Git LFS; otherwise a pointer in the form of Git LFS stands for them, and their bytes are kept in
 * the git directory by their digest.
 *
 * @see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, The Pointer
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../core/canonical.ts'
import { writeAtomically } from '../../core/files.ts'
import type { Git } from '../../core/git.ts'

const PLAIN_BYTES = 1_000_000
const LFS_BYTES = 50_000_000
/** A pointer is never larger. */
const POINTER_BYTES = 1_024
const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n$/

/** Where the bytes behind pointers are kept. */
export interface ArtifactStore {
  /** Returns whether the tree's attributes give a file of this path to Git LFS. */
  isRouted(path: string): Promise<boolean>
  put(content: Uint8Array): Promise<void>
  /** Returns the bytes of a digest, ours or those Git LFS has fetched; undefined when neither has them. */
  get(digest: string): Promise<Buffer | undefined>
}

/** Returns the store of a clone. */
export function artifactStore(git: Git, root: string): ArtifactStore {
  const commonDir = () => git.text(['rev-parse', '--path-format=absolute', '--git-common-dir'])
  const places = async (digest: string) => {
    const folder = await commonDir()
    return [
      join(folder, 'valuetrain', 'training', 'artifacts', digest),
      join(folder, 'lfs', 'objects', digest.slice(0, 2), digest.slice(2, 4), digest),
    ] as const
  }
  return {
    async isRouted(path) {
      const asked = await git.at(root).run(['check-attr', '-z', 'filter', '--', path], { okExit: [0, 128] })
      return asked.code === 0 && asked.stdout.split('\0')[2] === 'lfs'
    },
    async put(content) {
      const [own] = await places(sha256(content))
      await writeAtomically(own, content)
    },
    async get(digest) {
      for (const file of await places(digest)) {
        const content = await readFile(file).catch(() => undefined)
        if (content !== undefined && sha256(content) === digest) return content
      }
      return undefined
    },
  }
}

/** Returns what of a file goes into the tree: itself, or its pointer after its bytes were put into the store. */
export async function routed(
  path: string,
  content: string | Uint8Array,
  store: ArtifactStore | undefined,
): Promise<string | Uint8Array> {
  const bytes = Buffer.byteLength(content)
  if (bytes <= PLAIN_BYTES || store === undefined) return content
  if (bytes <= LFS_BYTES && (await store.isRouted(path))) return content
  await store.put(typeof content === 'string' ? Buffer.from(content) : content)
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${bytes}\n`
}

/** Returns the digest a pointer stands for; undefined when the content is none. */
export function pointedAt(content: Buffer): string | undefined {
  return content.length > POINTER_BYTES ? undefined : POINTER.exec(content.toString('latin1'))?.[1]
}
