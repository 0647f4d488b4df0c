import { buildMerge, type MergeMethod, mergeWords } from './merging.ts'
import type { Json } from './types.ts'
import { type Answer, type Call, mayAtLeast, type RepoState, type World } from './world.ts'

/** A pull request as the emulator keeps it, with what only git knows put in: where its head is, and whether it can come in. */
export async function overlayPull(state: RepoState, pull: Json): Promise<Json> {
  const done = state.merged.get(pull.number)
  if (done) {
    return {
      ...pull,
      head: { ...pull.head, sha: done.head },
      base: { ...pull.base, sha: done.base },
      merged: true,
      merge_commit_sha: done.commit,
      mergeable: null,
      mergeable_state: 'unknown',
    }
  }
  const [head, base] = await Promise.all([state.facts.tip(pull.head.ref), state.facts.tip(pull.base.ref)])
  const sha = head ?? pull.head.sha
  const standing =
    head && base && pull.state === 'open'
      ? await standingOf(state, pull, head, base)
      : { mergeable: null, mergeable_state: 'unknown' }
  return {
    ...pull,
    head: { ...pull.head, sha },
    base: { ...pull.base, sha: base ?? pull.base.sha },
    merge_commit_sha: null,
    ...standing,
  }
}

/** Returns a pull request by number; undefined when there is none. */
export async function pullOf(world: World, state: RepoState, token: string, number: number): Promise<Json> {
  const found = await world.emulator(token, 'GET', `/repos/${state.repository.fullName}/pulls/${number}`)
  return found.status === 200 ? overlayPull(state, found.body) : undefined
}

async function standingOf(
  state: RepoState,
  pull: Json,
  head: string,
  base: string,
): Promise<{ mergeable: boolean; mergeable_state: string }> {
  if ((await state.facts.merge(base, head)) === undefined) return { mergeable: false, mergeable_state: 'dirty' }
  if (pull.draft) return { mergeable: true, mergeable_state: 'draft' }
  const rule = state.protections.get(pull.base.ref)
  if (rule?.strict && !(await state.facts.contains(head, base))) return { mergeable: true, mergeable_state: 'behind' }
  if (unmetOf(state, pull, head).length > 0) return { mergeable: true, mergeable_state: 'blocked' }
  const statuses = state.repository.statuses(head)
  return { mergeable: true, mergeable_state: statuses.some(({ state }) => state !== 'success') ? 'unstable' : 'clean' }
}

/** What a branch's rules still ask for, in GitHub's words. */
export function unmetOf(state: RepoState, pull: Json, head: string): string[] {
  const rule = state.protections.get(pull.base.ref)
  if (!rule) return []
  const good = new Set([
    ...state.repository.statuses(head).flatMap(({ context, state }) => (state === 'success' ? [context] : [])),
    ...state.repository.checkRuns(head).flatMap(({ name, conclusion }) => (conclusion === 'success' ? [name] : [])),
  ])
  const missing = (rule.checks ?? []).filter((context) => !good.has(context))
  const approvals = (pull.approvals as number | undefined) ?? 0
  return [
    ...missing.map((context) => `Required status check "${context}" is expected.`),
    ...(rule.approvals !== undefined && approvals < rule.approvals
      ? [`At least ${rule.approvals} approving review is required by reviewers with write access.`]
      : []),
  ]
}

/** Merges as GitHub does: the head as it was named, onto the base as it is now, and only when the rules are met. */
export async function mergePull(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const { git, fullName } = state.repository
  const pull = await pullOf(world, state, call.token, Number(number))
  if (!pull) return { status: 404, body: { message: 'Not Found' } }
  const refused = (status: number, message: string) => ({ status, body: { message, status: String(status) } })
  if (!mayAtLeast(state, call.holder, 'write')) return refused(403, 'Must have push access to Repository.')
  if (pull.state !== 'open' || pull.merged) return refused(405, 'Pull Request is not mergeable')
  if (state.protections.get(pull.base.ref)?.queue)
    return refused(405, 'Repository rule violations found\n\nChanges must be made through the merge queue\n\n')
  if (pull.draft) return refused(405, 'Pull Request is still a draft')
  if (call.body?.sha !== undefined && call.body.sha !== pull.head.sha)
    return refused(409, 'Head branch was modified. Review and try the merge again.')
  if (!pull.mergeable) return refused(405, 'Pull Request has merge conflicts')
  const reviews = await world.emulator(call.token, 'GET', `/repos/${fullName}/pulls/${number}/reviews?per_page=100`)
  const approvals = new Set(
    (reviews.body as { state: string; commit_id: string; user: { login: string } }[])
      .filter((review) => review.state === 'APPROVED' && review.commit_id === pull.head.sha)
      .map((review) => review.user.login),
  ).size
  const unmet = unmetOf(state, { ...pull, approvals }, pull.head.sha)
  if (unmet.length > 0) return refused(405, unmet.join(' '))
  if (pull.mergeable_state === 'behind') return refused(405, 'Head branch is out of date. Review and try the merge again.')
  const base = pull.base.sha
  const method = (call.body?.merge_method ?? 'merge') as MergeMethod
  const words = mergeWords(state, pull, method)
  const title = call.body?.commit_title ?? words.title
  const message = call.body?.commit_message ?? words.message
  const commit = await buildMerge(state, { base, head: pull.head.sha, title, message }, method)
  if (commit === undefined) return refused(405, "This branch can't be rebased")
  await git.run(['update-ref', `refs/heads/${pull.base.ref}`, commit, base])
  await close(world, state, call.token, pull, commit)
  return { status: 200, body: { sha: commit, merged: true, message: 'Pull Request successfully merged' } }
}

/** Writes down that a pull request came in, and closes the issues that it says it closes. */
export async function close(world: World, state: RepoState, token: string, pull: Json, commit: string): Promise<void> {
  const { fullName } = state.repository
  state.merged.set(pull.number, { commit, head: pull.head.sha, base: pull.base.sha })
  // The emulator's own merge is of its own placeholders; what counts is that the pull request is over there, too.
  await world.emulator(token, 'PUT', `/repos/${fullName}/pulls/${pull.number}/merge`, {})
  for (const [, closed] of String(pull.body ?? '').matchAll(/\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? #(\d+)\b/gi)) {
    await world.emulator(token, 'PATCH', `/repos/${fullName}/issues/${closed}`, { state: 'closed' })
  }
}
