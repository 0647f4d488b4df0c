import type { MergeOrder, MergeOutcome } from '../core/contracts/forge.ts'
import type { Git } from '../core/git.ts'
import { requireRefName } from '../core/refs.ts'
import { isAncestor, resolveCommit } from '../core/tree.ts'

/**
 * Makes a judged merge commit the remote's branch, if the branch still is where it was judged. The old value goes along as a
 * lease, so the remote itself refuses when somebody was faster. A remote that says no leaves nothing half done here.
 */
export async function publishMerge(git: Git, order: MergeOrder, remote: string): Promise<MergeOutcome> {
  const before = await remoteTip(git, requireRefName(remote), order.into)
  if (before === order.merge || (await contains(git, before, order.merge))) return { outcome: 'merged', commit: order.merge }
  if (before !== undefined && before !== order.base) {
    // The base has commits that only this clone has. Pushing the merge would publish them for the person who made them.
    if (await contains(git, order.base, before))
      return refused(`${order.into} has commits here that ${remote} does not have; push them first`)
    return { outcome: 'moved', base: before }
  }
  if (before === undefined) return refused(`${remote} did not answer or has no branch ${order.into}`)
  const ref = `refs/heads/${order.into}`
  const push = await git.run(
    [
      'push',
      '--porcelain',
      '--no-recurse-submodules',
      `--force-with-lease=${ref}:${order.base}`,
      '--',
      remote,
      `${order.merge}:${ref}`,
    ],
    { okExit: [0, 1, 128] },
  )
  if (push.code === 0) return { outcome: 'merged', commit: order.merge }
  const now = await remoteTip(git, remote, order.into)
  if (now === order.merge) return { outcome: 'merged', commit: order.merge }
  return now === undefined || now === order.base ? refused(whyOf(push.stdout, push.stderr)) : { outcome: 'moved', base: now }
}

async function remoteTip(git: Git, remote: string, branch: string): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`
  const listed = await git.run(['ls-remote', '--', remote, ref], { okExit: [0, 128] })
  return listed.stdout
    .split('\n')
    .find((line) => line.endsWith(`\t${ref}`))
    ?.split('\t')[0]
}

async function contains(git: Git, commit: string | undefined, ancestor: string): Promise<boolean> {
  if (commit === undefined || !(await resolveCommit(git, commit)) || !(await resolveCommit(git, ancestor))) return false
  return isAncestor(git, ancestor, commit)
}

function refused(why: string): MergeOutcome {
  return { outcome: 'waiting', reason: `remote-refused: ${why}`, paths: [] }
}

/** What the remote said, in one line, without the address, which may hold a password or a path of this machine. */
function whyOf(stdout: string, stderr: string): string {
  const said = stderr
    .split('\n')
    .filter((line) => line.startsWith('remote: '))
    .map((line) => line.slice('remote: '.length).trim())
  const status = stdout
    .split('\n')
    .find((line) => line.startsWith('!'))
    ?.split('\t')
    .at(-1)
  const fatal = stderr
    .split('\n')
    .find((line) => line.startsWith('fatal: '))
    ?.slice('fatal: '.length)
  const words = [status, ...said, status === undefined ? fatal : undefined].filter((word) => word !== undefined && word !== '')
  return (
    words
      .join(' · ')
      .replace(/(?:[a-z+]+:\/\/|\/|[\w.-]+@[\w.-]+:)[^\s'"]+/gi, '<address>')
      .slice(0, 500) || 'no reason was given'
  )
}
