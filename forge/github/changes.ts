import type {
  Change,
  ChangeDraft,
  ChangeStanding,
  CheckStanding,
  MergeOrder,
  MergeOutcome,
  Review,
} from '../../core/contracts/forge.ts'
import { ticketOfBranch } from '../../core/contracts/names.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Client, Use } from './client.ts'
import type { People } from './people.ts'
import type { MergeQueues } from './queue.ts'
import { isOurReport } from './reports.ts'
import { publishable, publishableTitle, shorten } from './text.ts'

/** A pull request, as much of it as is read here. */
interface Pull {
  number: number
  node_id: string
  html_url: string
  title: string
  body: string | null
  state: 'open' | 'closed'
  draft?: boolean
  merged?: boolean
  merged_at?: string | null
  merge_commit_sha: string | null
  mergeable?: boolean | null
  mergeable_state?: string
  user: { login: string } | null
  labels: { name: string }[]
  requested_reviewers?: { login: string }[]
  head: { ref: string; sha: string }
  base: { ref: string }
}

const CHECK_TEXT = 4000

/** Opens the pull request of a ticket's branch, or adopts the one that is open or came in for the same branch. */
export async function openPull(client: Client, draft: ChangeDraft): Promise<Change> {
  const pull = await client.once(
    async () => {
      const pulls = await pullsOf(client, draft.head)
      return pulls.find((candidate) => candidate.state === 'open' && candidate.base.ref === draft.base)
    },
    (post) =>
      post<Pull>('POST /repos/{owner}/{repo}/pulls', {
        title: publishableTitle(draft.title),
        body: publishable(draft.body),
        head: draft.head,
        base: draft.base,
        draft: draft.draft,
      }),
  )
  return changeOf(pull)
}

/** Returns the change of a branch: the open one, else the one that came in, else the last one that was closed. */
export async function findPull(client: Client, branch: string): Promise<Change | undefined> {
  const pulls = await pullsOf(client, branch)
  const found = pulls.find(({ state }) => state === 'open') ?? pulls.find((pull) => pull.merged_at) ?? pulls[0]
  return found && changeOf(found)
}

/** Brings what differs up to date, and nothing else. */
export async function updatePull(
  client: Client,
  change: Change,
  patch: { title?: string; body?: string; draft?: boolean; labels?: readonly string[]; reviewers?: readonly string[] },
): Promise<Change> {
  const number = numberOf(change)
  const now = await readPull(client, number)
  const title = patch.title === undefined ? now.title : publishableTitle(patch.title)
  const body = patch.body === undefined ? now.body : publishable(patch.body)
  if (title !== now.title || body !== now.body)
    await client.put('PATCH /repos/{owner}/{repo}/pulls/{pull_number}', { pull_number: number, title, body: body ?? '' })
  if (patch.draft !== undefined && patch.draft !== (now.draft ?? false)) await setDraft(client, now.node_id, patch.draft)
  const labels = (patch.labels ?? []).filter((label) => !now.labels.some(({ name }) => name === label))
  if (labels.length > 0)
    await client.put('POST /repos/{owner}/{repo}/issues/{issue_number}/labels', { issue_number: number, labels })
  await requestReviews(client, now, patch.reviewers ?? [])
  return changeOf(await readPull(client, number))
}

/** Looks at a change: pull request, reviews, everybody else's checks, and where its base is. */
export async function observePull(client: Client, people: People, queues: MergeQueues, change: Change): Promise<ChangeStanding> {
  const number = numberOf(change)
  const pull = await readPull(client, number, 'look')
  const sha = pull.head.sha
  const [reviews, statuses, runs, base, queue] = await Promise.all([
    client.list<RawReview>('GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews', { pull_number: number }, 'look'),
    client.list<RawStatus>('GET /repos/{owner}/{repo}/commits/{ref}/status', { ref: sha }, 'look'),
    client.list<RawRun>('GET /repos/{owner}/{repo}/commits/{ref}/check-runs', { ref: sha }, 'look'),
    branchTip(client, pull.base.ref, 'glance'),
    isMerged(pull) ? undefined : queues.standingOf(number, pull.base.ref),
  ])
  return {
    change: changeOf(pull),
    ...(isMerged(pull) && pull.merge_commit_sha ? { mergeCommit: pull.merge_commit_sha } : {}),
    baseCommit: base,
    mergeable: MERGEABLE[pull.mergeable_state ?? ''] ?? 'unknown',
    ...(queue ? { queue } : {}),
    reviews: await Promise.all(reviews.filter(({ state }) => REVIEWS[state]).map((review) => reviewOf(people, review))),
    checks: [...statuses.map(standingOfStatus), ...runs.map(standingOfRun)].filter(({ name }) => !isOurReport(name)),
  }
}

/**
 * Merges a pull request when its head is the judged one and its base still is where it was judged, or puts it into the merge
 * queue where the base is entered through one; then it waits, and what comes of it is observed. Between the last look and
 * the merge the base may move; then the forge's own rules decide (a branch that must be up to date is refused).
 */
export async function mergePull(
  client: Client,
  order: MergeOrder,
  branch: string,
  method: 'merge' | 'squash' | 'rebase',
  queues: MergeQueues,
): Promise<MergeOutcome> {
  const change = await findPull(client, branch)
  if (change === undefined) return waiting(`there is no pull request for ${branch}`)
  const number = numberOf(change)
  for (;;) {
    const pull = await readPull(client, number)
    if (isMerged(pull)) return { outcome: 'merged', commit: pull.merge_commit_sha as string }
    if (pull.state !== 'open') return waiting(`pull request #${number} was closed`)
    if (pull.head.sha !== order.head)
      return waiting(`the head of #${number} is ${pull.head.sha.slice(0, 12)}, and ${order.head.slice(0, 12)} was judged`)
    const base = await branchTip(client, order.into)
    if (base !== order.base) return { outcome: 'moved', base }
    const queue = await queues.standingOf(number, order.into)
    if (queue) {
      const refused = queue.place === undefined ? await queues.enter(pull, order.into, order.head) : undefined
      if (refused !== undefined) return waiting(refused)
      return { outcome: 'waiting', reason: `in the merge queue of ${order.into}`, paths: [] }
    }
    const outcome = await tryMerge(client, number, order, method, queues)
    if (outcome) return outcome
  }
}

/** Undefined when the connection broke and it has to be looked at again. */
async function tryMerge(
  client: Client,
  number: number,
  order: MergeOrder,
  method: string,
  queues: MergeQueues,
): Promise<MergeOutcome | undefined> {
  try {
    const { sha } = await client.put<{ sha: string }>('PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge', {
      pull_number: number,
      sha: order.head,
      merge_method: method,
    })
    return { outcome: 'merged', commit: sha }
  } catch (error) {
    const { status, said } = ((error as ValuetrainError).details ?? {}) as { status?: number; said?: string }
    if (!(error instanceof ValuetrainError) || ![403, 405, 409, 422].includes(status ?? 0)) throw error
    // What a broken connection hid shows up as "not mergeable" on the next try.
    const pull = await readPull(client, number)
    if (isMerged(pull)) return { outcome: 'merged', commit: pull.merge_commit_sha as string }
    const base = await branchTip(client, order.into)
    if (/merge queue/i.test(said ?? '')) queues.forget(order.into)
    return base === order.base ? waiting(said ?? error.message) : { outcome: 'moved', base }
  }
}

function waiting(reason: string): MergeOutcome {
  return { outcome: 'waiting', reason: `forge-refused: ${shorten(reason, 300)}`, paths: [] }
}

async function pullsOf(client: Client, branch: string): Promise<Pull[]> {
  return client.list<Pull>('GET /repos/{owner}/{repo}/pulls', { head: `${client.place.owner}:${branch}`, state: 'all' })
}

async function readPull(client: Client, number: number, use: 'need' | 'look' = 'need'): Promise<Pull> {
  return client.get<Pull>('GET /repos/{owner}/{repo}/pulls/{pull_number}', { pull_number: number }, use)
}

/** Returns where a branch of the forge is. @throws VT_NO_BRANCH when there is none, e.g. in an empty repository */
export async function branchTip(client: Client, branch: string, use: Use = 'need'): Promise<string> {
  try {
    const found = await client.get<{ commit: { sha: string } }>('GET /repos/{owner}/{repo}/branches/{branch}', { branch }, use)
    return found.commit.sha
  } catch (error) {
    if ((error as ValuetrainError).details?.status !== 404) throw error
    const { owner, name } = client.place
    throw new ValuetrainError('VT_NO_BRANCH', `${owner}/${name} has no branch ${branch}`, {
      kind: 'environment',
      hint: `push one: \`git push origin ${branch}\`, or set \`branch\` in .valuetrain/config.yaml to the default branch`,
    })
  }
}

function changeOf(pull: Pull): Change {
  return {
    id: String(pull.number),
    ticket: ticketOfBranch(pull.head.ref) ?? '',
    head: pull.head.ref,
    headCommit: pull.head.sha,
    base: pull.base.ref,
    title: pull.title,
    location: pull.html_url,
    draft: pull.draft ?? false,
    state: isMerged(pull) ? 'merged' : pull.state,
  }
}

function isMerged(pull: Pull): boolean {
  return pull.merged === true || (pull.merged_at !== undefined && pull.merged_at !== null)
}

function numberOf(change: Change): number {
  const number = Number(change.id)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new ValuetrainError('VT_CHANGE_UNKNOWN', `change ${change.id.slice(0, 80)} is not a pull request's number`, {
    kind: 'internal',
  })
}

/** Held to GitHub's published schema by a test. */
export const DRAFT_MUTATIONS = {
  draft: mutationOf('convertPullRequestToDraft'),
  ready: mutationOf('markPullRequestReadyForReview'),
} as const

function mutationOf(change: string): string {
  return `mutation($id: ID!) { ${change}(input: { pullRequestId: $id }) { pullRequest { id isDraft } } }`
}

/** Only GraphQL can do this. It may be said twice without harm. */
async function setDraft(client: Client, id: string, draft: boolean): Promise<void> {
  await client.graphql(DRAFT_MUTATIONS[draft ? 'draft' : 'ready'], { id })
}

async function requestReviews(client: Client, pull: Pull, wanted: readonly string[]): Promise<void> {
  const asked = new Set([pull.user?.login, ...(pull.requested_reviewers ?? []).map(({ login }) => login)])
  const reviewers = wanted.filter((login) => !asked.has(login))
  if (reviewers.length === 0) return
  const reviews = await client.list<RawReview>('GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews', {
    pull_number: pull.number,
  })
  // Somebody who has spoken is not asked again by us; a person may do that.
  const silent = reviewers.filter((login) => !reviews.some(({ user }) => user?.login === login))
  if (silent.length === 0) return
  try {
    const route = 'POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers'
    await client.put(route, { pull_number: pull.number, reviewers: silent })
  } catch (error) {
    if ((error as ValuetrainError).details?.status !== 422) throw error
    throw new ValuetrainError(
      'VT_FORGE_REVIEWER',
      `${silent.join(', ')} cannot all be asked to review #${pull.number}: ${(error as ValuetrainError).details.said}`,
      {
        kind: 'config',
        hint: 'name reviewers who have access to the repository',
      },
    )
  }
}

interface RawReview {
  id: number
  user: { login: string } | null
  state: string
  commit_id: string | null
  body: string | null
  submitted_at?: string
}

interface RawStatus {
  context: string
  state: string
  description: string | null
  target_url: string | null
}

interface RawRun {
  name: string
  status: string
  conclusion: string | null
  html_url: string | null
  output?: { title: string | null; summary: string | null }
}

const REVIEWS: Record<string, Review['state'] | undefined> = {
  APPROVED: 'approved',
  CHANGES_REQUESTED: 'changes-requested',
  COMMENTED: 'commented',
  DISMISSED: 'dismissed',
}

const MERGEABLE: Record<string, ChangeStanding['mergeable'] | undefined> = {
  clean: 'clean',
  unstable: 'clean',
  has_hooks: 'clean',
  behind: 'behind',
  dirty: 'conflicting',
  blocked: 'blocked',
  draft: 'blocked',
}

async function reviewOf(people: People, review: RawReview): Promise<Review> {
  const login = review.user?.login ?? 'ghost'
  return {
    id: String(review.id),
    login,
    permission: await people.permissionOf(login),
    state: REVIEWS[review.state] as Review['state'],
    commit: review.commit_id ?? '',
    body: review.body ?? '',
    at: review.submitted_at ?? '',
  }
}

function standingOfStatus({ context, state, description, target_url }: RawStatus): CheckStanding {
  const word = state === 'success' ? 'success' : state === 'pending' ? 'pending' : 'failure'
  return { name: context, state: word, text: (description ?? '').slice(0, CHECK_TEXT), location: target_url ?? '' }
}

function standingOfRun({ name, status, conclusion, html_url, output }: RawRun): CheckStanding {
  const isGood = ['success', 'neutral', 'skipped'].includes(conclusion ?? '')
  const text = [output?.title, output?.summary].filter(Boolean).join('\n\n')
  return {
    name,
    state: status !== 'completed' ? 'pending' : isGood ? 'success' : 'failure',
    text: (text || (conclusion ?? '')).slice(0, CHECK_TEXT),
    location: html_url ?? '',
  }
}
