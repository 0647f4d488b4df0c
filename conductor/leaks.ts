import { secretsInFile } from '../core/file-secrets.ts'
import type { Git } from '../core/git.ts'
import { isKnownFormat } from '../core/secrets.ts'
import { changedPaths, readBlobs } from '../core/tree.ts'

/**
 * Returns where a tree that is about to be committed holds a key that HEAD has not, in a format that its issuer publishes; no
 * guesses, which the `secrets` gate makes and a person may waive. A key in a commit stays in its branch's history, so
 * such a commit is not made at all. What was found is not told.
 *
 * @param maxBytes of a file that is looked through
 */
export async function leaksIn(git: Git, tree: string, maxBytes: number): Promise<string[]> {
  const changed = (await changedPaths(git, 'HEAD', tree)).filter(
    ({ status, path }) => status !== 'D' && !path.startsWith('.valuetrain/tickets/'),
  )
  const [after, before] = await Promise.all([
    readBlobs(
      git,
      changed.map(({ blob }) => blob),
    ),
    readBlobs(
      git,
      changed.map(({ path }) => `HEAD:${path}`),
    ),
  ])
  return changed.flatMap(({ path }, at) => {
    const content = after[at]
    if (content === undefined || content.length > maxBytes) return []
    const known = new Set(secretsInFile(before[at] ?? '').map(({ secret }) => secret))
    const found = secretsInFile(content).filter(({ rule, secret }) => isKnownFormat(rule) && !known.has(secret))
    return found.map(({ rule, line }) => `${path}, line ${line} (${rule})`)
  })
}
