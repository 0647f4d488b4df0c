import type { MergeOrder, MergeOutcome } from '../core/contracts/forge.ts'
import { OBJECT_ID } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import { requireRefName } from '../core/refs.ts'
import { isAncestor, resolveCommit } from '../core/tree.ts'
import { type Checkout, checkoutOf, pathsInTheWay } from './checkout.ts'
import { publishMerge } from './publish.ts'

/**
 * Makes a judged merge commit the default branch, if the branch still is where it was judged. Asking twice is safe.
 *
 * A checked-out branch moves by `git merge --ff-only` in that checkout: moving the ref alone would leave the reverse of the
 * change staged there. Work of the person there is never touched: what is in the way is named and the change waits; the rest
 * stays as it is. With a remote its branch moves first, from the exact judged commit, since it is the one that others see.
 *
 * @param remote name of the git remote, or null when this clone is alone
 * @throws VT_NO_BRANCH when the default branch does not exist; VT_MERGE_ORDER when `merge` is not the merge of base and head
 */
export async function mergeInto(git: Git, order: MergeOrder, remote: string | null): Promise<MergeOutcome> {
  await requireOrder(git, order)
  const present = await tipOf(git, order.into)
  if (remote !== null) return mergeWithRemote(git, order, remote, present)
  if (present === undefined) throw noBranch(order.into)
  if (await isAncestor(git, order.merge, present)) return merged(order)
  if (present !== order.base) return { outcome: 'moved', base: present }
  const checkout = await checkoutOf(git, order.into)
  return (await obstacle(checkout, order, present)) ?? (await moveLocal(git, checkout, order, present))
}

/** The local branch follows the remote's; where it has commits of its own it is left to the person who made them. */
async function mergeWithRemote(git: Git, order: MergeOrder, remote: string, present: string | undefined): Promise<MergeOutcome> {
  const follows =
    present !== undefined && !(await isAncestor(git, order.merge, present)) && (await isAncestor(git, present, order.base))
  const checkout = follows ? await checkoutOf(git, order.into) : undefined
  // Looked at before the push, so that a ticket that has to wait has done nothing yet.
  const waiting = follows ? await obstacle(checkout, order, present) : undefined
  if (waiting) return waiting
  const published = await publishMerge(git, order, remote)
  if (published.outcome !== 'merged' || !follows) return published
  const local = await moveLocal(git, checkout, order, present)
  return local.outcome === 'moved' ? merged(order) : local
}

async function obstacle(checkout: Checkout | undefined, order: MergeOrder, from: string): Promise<MergeOutcome | undefined> {
  if (checkout === undefined) return undefined
  if (checkout.busy !== undefined)
    return { outcome: 'waiting', reason: `default-branch-dirty: ${order.into} is in the middle of ${checkout.busy}`, paths: [] }
  const paths = await pathsInTheWay(checkout.git, from, order.merge)
  return paths.length === 0 ? undefined : dirty(order, paths)
}

async function moveLocal(git: Git, checkout: Checkout | undefined, order: MergeOrder, from: string): Promise<MergeOutcome> {
  const refused = checkout ? await fastForward(checkout.git, order) : await moveRef(git, order, from)
  const now = await tipOf(git, order.into)
  if (now !== undefined && (await isAncestor(git, order.merge, now))) return merged(order)
  if (now !== from) return { outcome: 'moved', base: now ?? order.base }
  return refused
}

/**
 * Autostash would put a person's work away, and git by default overwrites ignored files without a word; both are off.
 */
async function fastForward(checkout: Git, order: MergeOrder): Promise<MergeOutcome> {
  const flags = ['--ff-only', '--no-autostash', '--no-overwrite-ignore', '--no-stat', '--quiet']
  const result = await checkout.run(['merge', ...flags, order.merge], { okExit: [0, 1, 2, 128] })
  // git lists the paths it would have to overwrite with a tab before each.
  const paths = result.stderr
    .split('\n')
    .filter((line) => line.startsWith('\t'))
    .map((line) => line.trim())
  return dirty(order, paths, result.stderr)
}

async function moveRef(git: Git, order: MergeOrder, from: string): Promise<MergeOutcome> {
  const message = `valuetrain: merge ${order.ticket}`
  const result = await git.run(['update-ref', '-m', message, `refs/heads/${order.into}`, order.merge, from], {
    okExit: [0, 1, 128],
  })
  return dirty(order, [], result.stderr)
}

function dirty(order: MergeOrder, paths: string[], said = ''): MergeOutcome {
  const why =
    paths.length > 0
      ? 'uncommitted changes are in the way of the merge'
      : said
          .trim()
          .split('\n')[0]
          ?.replace(/^(error|fatal): /, '')
  return {
    outcome: 'waiting',
    reason: `default-branch-dirty: ${order.into} is checked out and ${why || 'could not be moved'}`,
    paths,
  }
}

function merged(order: MergeOrder): MergeOutcome {
  return { outcome: 'merged', commit: order.merge }
}

async function tipOf(git: Git, branch: string): Promise<string | undefined> {
  return resolveCommit(git, `refs/heads/${requireRefName(branch)}`)
}

async function requireOrder(git: Git, { ticket, into, base, head, merge }: MergeOrder): Promise<void> {
  requireRefName(into)
  const ids = [base, head, merge].every((id) => OBJECT_ID.test(id))
  const parents = ids ? await git.run(['rev-parse', '--verify', '--quiet', `${merge}^@`], { okExit: [0, 1, 128] }) : undefined
  if (parents?.stdout.trim() === `${base}\n${head}`) return
  throw new ValuetrainError(
    'VT_MERGE_ORDER',
    `${merge.slice(0, 12)} is not the merge of ${base.slice(0, 12)} and ${head.slice(0, 12)}`,
    {
      kind: 'internal',
      hint: 'only the merge commit that was judged may be merged',
      details: { ticket, base, head, merge },
    },
  )
}

function noBranch(branch: string): ValuetrainError {
  return new ValuetrainError('VT_NO_BRANCH', `there is no branch ${branch}`, {
    kind: 'environment',
    hint: 'set `branch` in .valuetrain/config.yaml to the default branch',
  })
}
