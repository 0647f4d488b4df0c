import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Git } from '../../../core/git.ts'
import { isAncestor, resolveCommit } from '../../../core/tree.ts'

/** What the stand asks of a bare repository over and over; what cannot change is asked of git once. */
export interface GitFacts {
  /** Commit a branch points at, read from its file: the stand's repositories are never packed. */
  tip(branch: string): Promise<string | undefined>
  /** Returns the commit itself when it is there. */
  commit(sha: string): Promise<string | undefined>
  contains(commit: string, ancestor: string): Promise<boolean>
  /** Tree of the merge of two commits; undefined when they conflict. */
  merge(base: string, head: string): Promise<string | undefined>
}

export function openGitFacts(git: Git): GitFacts {
  const known = new Map<string, Promise<unknown>>()
  const once = <T>(key: string, ask: () => Promise<T>): Promise<T> => {
    const found = known.get(key) ?? ask()
    known.set(key, found)
    return found as Promise<T>
  }
  return {
    async tip(branch) {
      const text = await readFile(join(git.dir, 'refs', 'heads', ...branch.split('/')), 'utf8').catch(() => '')
      return text === '' ? undefined : text.trim()
    },
    async commit(sha) {
      const found = await once(`commit ${sha}`, () => resolveCommit(git, sha))
      if (found === undefined) known.delete(`commit ${sha}`)
      return found
    },
    contains: (commit, ancestor) => once(`contains ${commit} ${ancestor}`, () => isAncestor(git, ancestor, commit)),
    merge: (base, head) =>
      once(`merge ${base} ${head}`, async () => {
        const merged = await git.run(['merge-tree', '--write-tree', base, head], { okExit: [0, 1] })
        return merged.code === 0 ? merged.stdout.split('\n')[0] : undefined
      }),
  }
}
