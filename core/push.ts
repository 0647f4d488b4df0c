import { ValuetrainError } from './errors.ts'
import type { Git } from './git.ts'
import { inLeaseTurn, type Lease, lostLease, nextRecord } from './lease.ts'
import { leaseRef, refused, writeRecord } from './lease-refs.ts'
import { requireRefName } from './refs.ts'
import { trackingRef } from './remote-branches.ts'
import type { Repository } from './repository.ts'
import { isAncestor, resolveCommit } from './tree.ts'

/**
 * Pushes a ticket's branch to the remote that its claim lies on, together with the claim: both refs move or neither
 * does, so an owner whose epoch is over is refused with both and overwrites nothing. Only ever forward: what the remote
 * has beyond what this clone knows stays. A push counts as a renewal; with a claim of this clone alone nothing happens.
 *
 * @throws VT_LEASE_LOST when somebody else has the claim; VT_BRANCH_MOVED when the remote's branch has commits that
 *   `commit` does not contain; VT_REMOTE when the remote is gone or refuses
 */
export function pushBranch(repo: Repository, lease: Lease, branch: string, commit: string): Promise<void> {
  const { remote } = lease
  if (remote === null) return Promise.resolve()
  return inLeaseTurn(lease, async () => {
    if (!lease.isHeld) throw lostLease(lease)
    const head = `refs/heads/${requireRefName(branch)}`
    const claim = leaseRef(lease.issue)
    const known = pushed.get(lease)?.get(branch)
    if (known === commit) return
    // A branch that this clone never saw there is new in nearly all cases, and the push itself compares.
    let isGuess = known === undefined && (await resolveCommit(repo.git, trackingRef(remote, branch))) === undefined
    let there = known ?? (isGuess ? undefined : (await tipsOf(repo.git, remote, [head])).get(head))
    if (there === commit) return remember(lease, branch, commit)
    await requireForward(repo.git, remote, branch, there, commit)
    const object = await writeRecord(repo.git, nextRecord(lease))
    for (;;) {
      const expected = [`--force-with-lease=${head}:${there ?? ''}`, `--force-with-lease=${claim}:${lease.object}`]
      const flags = ['--quiet', '--atomic', '--no-recurse-submodules', ...expected]
      const specs = [`${commit}:${head}`, `${object}:${claim}`]
      const push = await repo.git.run(['push', ...flags, '--', remote, ...specs], { okExit: ANY, timeoutMs: 1_800_000 })
      if (push.code === 0) break
      // A refusal, a lost race and a cut connection look alike in git's words, so the refs themselves are asked.
      const now = await tipsOf(repo.git, remote, [head, claim])
      if (now.get(claim) === object) break
      if (now.get(claim) !== lease.object) throw lostLease(lease)
      await requireForward(repo.git, remote, branch, now.get(head), commit)
      if (!isGuess || now.get(head) === there) throw refused(remote, push.stderr)
      isGuess = false
      there = now.get(head)
    }
    lease.object = object
    lease.renewals += 1
    remember(lease, branch, commit)
  })
}

/**
 * Deletes a branch on the remote if it still is at the commit that is known to be safe elsewhere.
 *
 * @returns whether it is gone; false when it has moved on since, and then it stays
 * @throws VT_REMOTE when the remote is gone or refuses
 */
export async function deleteRemoteBranch(git: Git, remote: string, branch: string, commit: string): Promise<boolean> {
  const head = `refs/heads/${requireRefName(branch)}`
  const there = (await tipsOf(git, remote, [head])).get(head)
  if (there === undefined) return true
  if (there !== commit) return false
  const flags = ['--quiet', '--no-recurse-submodules', `--force-with-lease=${head}:${commit}`]
  const push = await git.run(['push', ...flags, '--', requireRefName(remote), `:${head}`], { okExit: ANY })
  if (push.code === 0) return true
  const now = (await tipsOf(git, remote, [head])).get(head)
  if (now === undefined) return true
  if (now !== commit) return false
  throw refused(remote, push.stderr)
}

const ANY = Array.from({ length: 256 }, (_, code) => code)

/** What each claim's owner has pushed last: while the claim is held nobody else of ours moves the branch. */
const pushed = new WeakMap<Lease, Map<string, string>>()

function remember(lease: Lease, branch: string, commit: string): void {
  const known = pushed.get(lease) ?? new Map<string, string>()
  pushed.set(lease, known.set(branch, commit))
}

async function requireForward(
  git: Git,
  remote: string,
  branch: string,
  there: string | undefined,
  commit: string,
): Promise<void> {
  if (there === undefined) return
  if ((await resolveCommit(git, there)) !== undefined && (await isAncestor(git, there, commit))) return
  throw new ValuetrainError('VT_BRANCH_MOVED', `branch ${branch} on ${remote} has commits that this clone does not have`, {
    kind: 'environment',
    hint: `somebody else pushed to it; run the issue again to continue from there, or look with \`git fetch ${remote} ${branch}\``,
    details: { branch, there, commit },
  })
}

async function tipsOf(git: Git, remote: string, refs: readonly string[]): Promise<Map<string, string>> {
  const listed = await git.run(['ls-remote', '--', requireRefName(remote), ...refs], { okExit: ANY })
  if (listed.code !== 0) throw refused(remote, listed.stderr)
  const lines = listed.stdout.split('\n').map((line) => line.split('\t'))
  return new Map(lines.flatMap(([object, ref]) => (object && ref ? [[ref, object] as const] : [])))
}
