import type { Git, GitOptions } from './git.ts'

/** git's own words for speaking with another machine. */
const SPEAKS: ReadonlySet<string> = new Set(['fetch', 'push', 'ls-remote', 'clone'])

/**
 * Returns the same git, whose calls that speak with another machine, and no others, get the surroundings to do so. They
 * may lead to a token, so a commit, a checkout or a merge, and whatever those run, never sees them.
 *
 * @param access asked anew at each such call
 */
export function throughAccess(git: Git, access: () => Promise<Readonly<Record<string, string>>>): Git {
  const joined = async (args: readonly string[], options?: GitOptions): Promise<GitOptions | undefined> =>
    SPEAKS.has(args[0] ?? '') ? { ...options, env: { ...options?.env, ...(await access()) } } : options
  return {
    dir: git.dir,
    ...(git.objects ? { objects: git.objects } : {}),
    run: async (args, options) => git.run(args, await joined(args, options)),
    text: async (args, options) => git.text(args, await joined(args, options)),
    fields: async (args, options) => git.fields(args, await joined(args, options)),
    bytes: async (args, options) => git.bytes(args, await joined(args, options)),
    succeeds: async (args, options) => git.succeeds(args, await joined(args, options)),
    at: (dir) => throughAccess(git.at(dir), access),
  }
}
