import { buildMerge, mergeWords } from './merging.ts'
import { close, pullOf, unmetOf } from './pulls.ts'
import type { Json } from './types.ts'
import { type Answer, type Call, mayAtLeast, type RepoState, type World } from './world.ts'

/** A pull request in a queue, with the commit that is tested for it. */
export interface QueueEntry {
  number: number
  /** Head it was entered with. */
  head: string
  base: string
  /** Commit on `gh-readonly-queue/…`: the base, everything before it in the queue, and the pull request. */
  group: string
  /** Branch of that commit, which CI sees. */
  branch: string
}

/** The merge queue of a repository, as a test looks at it and lets it go on. */
export interface StandQueue {
  entries(): readonly QueueEntry[]
  /** Lets the first one in, as GitHub does when the required checks of its group have passed. */
  letIn(): Promise<void>
  /** Puts one out, with checks that have failed on its group. */
  putOut(number: number, reason: string, failed?: Record<string, string>): Promise<void>
}

/** What the timeline of a pull request says of its queue last. */
export interface QueueEvent {
  type: 'AddedToMergeQueueEvent' | 'RemovedFromMergeQueueEvent'
  id: string
  reason: string | null
  beforeCommit: string | null
  /** Head of the pull request at that time. */
  head: string
}

/** A repository's queue as the stand keeps it. */
export interface QueueState {
  entries: QueueEntry[]
  events: Map<number, QueueEvent>
}

export function openStandQueue(world: World, state: RepoState, token: string): StandQueue {
  const { queue } = state
  const leave = async (entry: QueueEntry, reason: string) => {
    await state.repository.git.run(['update-ref', '-d', `refs/heads/${entry.branch}`])
    queue.entries = queue.entries.filter((other) => other !== entry)
    const id = `RMQE_${world.nextId()}`
    const event = { type: 'RemovedFromMergeQueueEvent' as const, id, reason, beforeCommit: entry.group, head: entry.head }
    queue.events.set(entry.number, event)
  }
  return {
    entries: () => queue.entries,
    async letIn() {
      const [entry] = queue.entries
      if (!entry) throw new Error('nothing is in the queue')
      const pull = await pullOf(world, state, token, entry.number)
      await state.repository.git.run(['update-ref', `refs/heads/${entry.base}`, entry.group])
      await close(world, state, token, pull, entry.group)
      await leave(entry, 'merged')
    },
    async putOut(number, reason, failed = {}) {
      const entry = queue.entries.find((candidate) => candidate.number === number)
      if (!entry) throw new Error(`#${number} is not in the queue`)
      for (const [context, said] of Object.entries(failed)) state.repository.setStatus(entry.group, context, 'failure', said)
      await leave(entry, reason)
    },
  }
}

const fail = (message: string, type = 'UNPROCESSABLE'): Answer => ({
  status: 200,
  body: { data: null, errors: [{ message, type }] },
})

/** Answers the mutation that enters a queue. */
export async function enqueue(world: World, state: RepoState, call: Call, number: number): Promise<Answer> {
  const { git } = state.repository
  const pull = await pullOf(world, state, call.token, number)
  const base = pull.base.ref as string
  if (!mayAtLeast(state, call.holder, 'write')) return fail('Resource not accessible by personal access token', 'FORBIDDEN')
  if (!state.protections.get(base)?.queue) return fail('The base branch does not have a merge queue.')
  if (state.queue.entries.some((entry) => entry.number === number)) return fail('Pull request is already in the queue')
  if (call.body.variables.head !== pull.head.sha) return fail('Head branch was modified. Review and try again.')
  if (pull.state !== 'open' || pull.draft || pull.mergeable === false) return fail('Pull request is not mergeable')
  const unmet = unmetOf(state, pull, pull.head.sha)
  if (unmet.length > 0) return fail(unmet.join(' '))
  const onto = state.queue.entries.at(-1)?.group ?? (pull.base.sha as string)
  if ((await state.facts.merge(onto, pull.head.sha)) === undefined) return fail('Pull request has merge conflicts')
  const words = mergeWords(state, pull, 'merge')
  const group = (await buildMerge(state, { base: onto, head: pull.head.sha, ...words }, 'merge')) as string
  const branch = `gh-readonly-queue/${base}/pr-${number}-${onto}`
  await git.run(['update-ref', `refs/heads/${branch}`, group])
  const id = `MQE_${world.nextId()}`
  state.queue.entries.push({ number, head: pull.head.sha, base, group, branch })
  const event = { type: 'AddedToMergeQueueEvent' as const, id, reason: null, beforeCommit: null, head: pull.head.sha }
  state.queue.events.set(number, event)
  return { status: 200, body: { data: { enqueuePullRequest: { mergeQueueEntry: { id } } } } }
}

/** Answers what is asked of a queue; a pull request to which something was pushed is put out first. */
export async function queueOf(state: RepoState, branch: string, pulls: readonly Json[]): Promise<Json> {
  const hasQueue = state.protections.get(branch)?.queue === true
  const of = (number: number) => pulls.find((pull) => pull.number === number)
  for (const entry of state.queue.entries)
    if (of(entry.number)?.head.sha !== entry.head) await state.repository.queue.putOut(entry.number, 'new commits were pushed')
  const nodes = state.queue.entries.map(({ number }, at) => ({ position: at + 1, pullRequest: { number } }))
  return {
    mergeQueue: hasQueue ? { entries: { nodes } } : null,
    pullRequests: { nodes: pulls.map((pull) => ({ number: pull.number, timelineItems: { nodes: lastOf(state, pull) } })) },
  }
}

function lastOf(state: RepoState, pull: Json): Json[] {
  const event = state.queue.events.get(pull.number)
  if (event === undefined || event.head !== pull.head.sha) return [{ __typename: 'PullRequestCommit' }]
  const { type, id, reason, beforeCommit } = event
  if (type === 'AddedToMergeQueueEvent') return [{ __typename: type }]
  return [{ __typename: type, id, reason, beforeCommit: beforeCommit === null ? null : { oid: beforeCommit } }]
}
