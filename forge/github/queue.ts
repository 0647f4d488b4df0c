import type { Clock } from '../../core/clock.ts'
import type { QueueStanding } from '../../core/contracts/forge.ts'
import type { ValuetrainError } from '../../core/errors.ts'
import type { Client } from './client.ts'
import { shorten } from './text.ts'

/**
 * The merge queues of a repository. A branch that has one is entered in no other way: the forge makes a commit of the change,
 * the base and all that stands before it in the queue, waits for the required checks of that commit, and then moves the
 * base to it, or puts the change out. Only GraphQL knows of queues.
 *
 * @see https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
 */
export interface MergeQueues {
  /** Returns where a pull request stands; undefined where its base has no queue, or the token may not know. */
  standingOf(number: number, base: string): Promise<QueueStanding | undefined>
  /**
   * Puts a pull request into the queue of its base, if its head still is the one that was judged; does nothing when it is in.
   *
   * @returns why it was not let in; undefined when it is in
   */
  enter(pull: { number: number; node_id: string }, base: string, head: string): Promise<string | undefined>
  /** Forgets what was known, because the forge has said otherwise. */
  forget(base: string): void
}

/** One look at a queue answers for every pull request that is asked about in the same round. */
const ROUND_MS = 4_000
/** That a branch has no queue changes about as often as its settings; asking costs a point each time. */
const NO_QUEUE_MS = 600_000
/** A pull request that was not let in is not tried again at once. */
const REFUSED_MS = 60_000

/** Held to GitHub's published schema by a test. */
export const QUEUE_QUERY = `query($owner: String!, $name: String!, $branch: String!) {
  repository(owner: $owner, name: $name) {
    mergeQueue(branch: $branch) {
      entries(first: 100) { nodes { position pullRequest { number } } }
    }
    pullRequests(states: OPEN, baseRefName: $branch, first: 100, orderBy: { field: UPDATED_AT, direction: DESC }) {
      nodes {
        number
        timelineItems(last: 1, itemTypes: [ADDED_TO_MERGE_QUEUE_EVENT, REMOVED_FROM_MERGE_QUEUE_EVENT, PULL_REQUEST_COMMIT]) {
          nodes {
            __typename
            ... on RemovedFromMergeQueueEvent { id reason beforeCommit { oid } }
          }
        }
      }
    }
  }
}`

/** Held to GitHub's published schema by a test. */
export const ENTER_MUTATION = `mutation($id: ID!, $head: GitObjectID!) {
  enqueuePullRequest(input: { pullRequestId: $id, expectedHeadOid: $head }) { mergeQueueEntry { id } }
}`

interface Removed {
  __typename: string
  id?: string
  reason?: string | null
  beforeCommit?: { oid: string } | null
}

interface Answer {
  repository: {
    mergeQueue: {
      entries: { nodes: ({ position: number; pullRequest: { number: number } | null } | null)[] | null } | null
    } | null
    pullRequests: { nodes: ({ number: number; timelineItems: { nodes: (Removed | null)[] | null } } | null)[] | null }
  } | null
}

/** What one look showed. */
interface Round {
  until: number
  queue: { places: Map<number, number>; last: Map<number, Removed> } | undefined
}

/** Opens what is known of queues; nothing is asked before somebody wants to know. */
export function openQueues(client: Client, clock: Clock): MergeQueues {
  const rounds = new Map<string, Promise<Round>>()
  const refusals = new Map<number, { reason: string; until: number }>()

  async function roundOf(base: string): Promise<Round> {
    const known = rounds.get(base)
    if (known && clock.monotonic() < (await known).until) return known
    const asked = look(client, base).then((queue) => ({
      queue,
      until: clock.monotonic() + (queue ? ROUND_MS : NO_QUEUE_MS),
    }))
    rounds.set(base, asked)
    asked.catch(() => rounds.delete(base))
    return asked
  }

  return {
    async standingOf(number, base) {
      const { queue } = await roundOf(base)
      if (queue === undefined) return undefined
      const place = queue.places.get(number)
      const putOut = place === undefined ? await putOutBy(client, queue.last.get(number)) : undefined
      const refusal = refusals.get(number)
      return {
        ...(place === undefined ? {} : { place }),
        ...(putOut ? { putOut } : {}),
        ...(refusal && clock.monotonic() < refusal.until ? { refused: refusal.reason } : {}),
      }
    },
    async enter({ number, node_id }, base, head) {
      const isIn = async () => {
        rounds.delete(base)
        return (await roundOf(base)).queue?.places.has(number) === true
      }
      if (await isIn()) return undefined
      try {
        await client.graphql(ENTER_MUTATION, { id: node_id, head })
      } catch (error) {
        const { code, message, details } = error as ValuetrainError
        if (code !== 'VT_FORGE_REFUSED' && code !== 'VT_FORGE_PERMISSION') throw error
        // An answer that got lost shows up as "already in the queue" on the next try.
        if (await isIn()) return undefined
        const reason = shorten(String(details?.said ?? message), 300)
        refusals.set(number, { reason, until: clock.monotonic() + REFUSED_MS })
        return reason
      }
      refusals.delete(number)
      rounds.delete(base)
      return undefined
    },
    forget: (base) => void rounds.delete(base),
  }
}

async function look(client: Client, branch: string): Promise<Round['queue']> {
  const { owner, name } = client.place
  const answer = await client.graphql<Answer>(QUEUE_QUERY, { owner, name, branch }).catch((error: ValuetrainError) => {
    // A token without this right, or a server without queues: then changes are merged one by one, or the forge says why not.
    if (error.code === 'VT_FORGE_REFUSED' || error.code === 'VT_FORGE_PERMISSION') return undefined
    throw error
  })
  const { mergeQueue, pullRequests } = answer?.repository ?? {}
  if (!mergeQueue) return undefined
  const entries = mergeQueue.entries?.nodes ?? []
  const pulls = pullRequests?.nodes ?? []
  return {
    places: new Map(entries.flatMap((entry) => (entry?.pullRequest ? [[entry.pullRequest.number, entry.position]] : []))),
    last: new Map(pulls.flatMap((pull) => (pull?.timelineItems.nodes?.[0] ? [[pull.number, pull.timelineItems.nodes[0]]] : []))),
  }
}

/** Leaving the queue is told alike for what came in and what did not; whoever came in is not asked about here. */
async function putOutBy(client: Client, last: Removed | undefined): Promise<QueueStanding['putOut']> {
  if (last?.__typename !== 'RemovedFromMergeQueueEvent' || last.id === undefined) return undefined
  const reason = shorten(last.reason ?? 'no reason was given', 200)
  const failed = last.beforeCommit ? await failedOn(client, last.beforeCommit.oid) : []
  const why = /conflict/i.test(reason) ? 'conflict' : failed.length > 0 || /check|fail|time/i.test(reason) ? 'checks' : 'other'
  return { id: last.id, reason, why, text: [`Put out of the merge queue: ${reason}`, ...failed].join('\n') }
}

/** The checks of a queue run on a commit of the forge's own making, which no pull request shows. */
async function failedOn(client: Client, commit: string): Promise<string[]> {
  interface Status {
    context: string
    state: string
    description: string | null
  }
  interface Run {
    name: string
    conclusion: string | null
    output?: { title: string | null; summary: string | null }
  }
  const at = { ref: commit }
  const gone = (error: ValuetrainError) => {
    // The commit goes with its branch, after a while.
    if ([404, 422].includes(Number(error.details?.status))) return []
    throw error
  }
  const [statuses, runs] = await Promise.all([
    client.list<Status>('GET /repos/{owner}/{repo}/commits/{ref}/status', at, 'look').catch(gone),
    client.list<Run>('GET /repos/{owner}/{repo}/commits/{ref}/check-runs', at, 'look').catch(gone),
  ])
  return [
    ...statuses
      .filter(({ state }) => state === 'failure' || state === 'error')
      .map(({ context, description }) => `${context}: ${description ?? ''}`),
    ...runs
      .filter(({ conclusion }) => conclusion !== null && !['success', 'neutral', 'skipped'].includes(conclusion))
      .map(({ name, conclusion, output }) => `${name}: ${output?.title ?? output?.summary ?? conclusion}`),
  ].map((line) => shorten(line, 1000))
}
