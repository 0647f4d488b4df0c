import type { Git } from '../core/git.ts'

/** What default branches are called where nothing says it. */
const USUAL = ['main', 'master', 'trunk', 'develop'] as const

/**
 * Returns the remote that a clone works with and the default branch: as the remote names it, else the one usual name
 * that is there, else the branch that is checked out, born or not. Asks no remote.
 */
export async function findPlace(git: Git): Promise<{ branch: string; remote: string | null }> {
  const remotes = (await git.text(['remote'])).split('\n').filter((name) => name !== '' && !name.startsWith('-'))
  const remote = remotes.includes('origin') ? 'origin' : remotes.length === 1 ? (remotes[0] as string) : null
  const named = remote === null ? undefined : await symbolic(git, `refs/remotes/${remote}/HEAD`, `refs/remotes/${remote}/`)
  const current = await symbolic(git, 'HEAD', 'refs/heads/')
  const branches = (await git.text(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads'])).split('\n')
  const usual = USUAL.filter((name) => branches.includes(name))
  const only = usual.length === 1 || (current !== undefined && !usual.includes(current as 'main')) ? usual[0] : undefined
  return { branch: named ?? only ?? current ?? 'main', remote }
}

async function symbolic(git: Git, ref: string, prefix: string): Promise<string | undefined> {
  const { stdout, code } = await git.run(['symbolic-ref', '--quiet', ref], { okExit: [0, 1, 128] })
  const target = stdout.trim()
  return code === 0 && target.startsWith(prefix) ? target.slice(prefix.length) : undefined
}
