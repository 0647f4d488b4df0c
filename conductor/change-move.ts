import type { Config } from '../core/config.ts'
import type { EventData } from '../core/contracts/event.ts'
import { type ChangeStanding, mayWrite, type QueueStanding, type Review } from '../core/contracts/forge.ts'
import type { TicketState } from './state.ts'

type Feedback = EventData<'CHANGE_RETURNED'>['feedback']

/** What a delivered ticket's change asks for next, as the forge tells of it. */
export type ChangeMove =
  /** It is merged: see that the ticket has arrived on the default branch. */
  | { move: 'arrive' }
  /** A person closed it. */
  | { move: 'close'; reason: string }
  /** People or checks sent it back. */
  | { move: 'return'; feedback: Feedback }
  /** What was judged is no longer what merging would give. */
  | { move: 'judge-again'; reason: string }
  | { move: 'merge' }
  | { move: 'wait'; reason: string }

/** Characters of one review or check that are taken up. */
const MOST_TEXT = 4000

/**
 * Returns what is due for a delivered change. Pure: the same standing and log give the same answer.
 *
 * @param head commit that was delivered and pushed
 */
export function moveOf(
  state: TicketState,
  standing: ChangeStanding,
  head: string,
  rules: { merge: 'auto' | 'person'; upToDate: Config['delivery']['upToDate'] },
): ChangeMove {
  const { change, checks, mergeable, baseCommit } = standing
  const { delivered } = state.ledger
  const name = `pull request ${change.id}`
  if (change.state === 'merged') return { move: 'arrive' }
  if (change.state === 'closed') return { move: 'close', reason: `${name} was closed without being merged; nothing was deleted` }
  if (change.headCommit !== head)
    return { move: 'judge-again', reason: `${name} has another head (${change.headCommit.slice(0, 10)}) than the delivered one` }
  const feedback = feedbackOf(state, standing)
  if (feedback.length > 0) return { move: 'return', feedback }
  // What stands in the queue is tested on top of everything before it, and a push would put it out.
  if (standing.queue?.place !== undefined)
    return { move: 'wait', reason: `${name} is in the merge queue of ${change.base}, at place ${standing.queue.place}` }
  const isBehind = delivered?.base !== baseCommit && (rules.upToDate === 'always' || rules.merge === 'auto')
  if (isBehind || mergeable === 'behind')
    return { move: 'judge-again', reason: `${change.base} has moved since the change was judged` }
  if (mergeable === 'conflicting') return { move: 'judge-again', reason: `the change conflicts with ${change.base}` }
  const pending = checks.filter(({ state }) => state === 'pending').map(({ name }) => name)
  if (pending.length > 0) return { move: 'wait', reason: `${name} waits for ${pending.join(', ')}: ${change.location}` }
  const failed = checks.filter(({ state }) => state === 'failure').map(({ name }) => name)
  if (failed.length > 0) return { move: 'wait', reason: `${name} is held by ${failed.join(', ')}: ${change.location}` }
  const asking = wanting(standing.reviews).map(({ login }) => login)
  if (asking.length > 0)
    return { move: 'wait', reason: `${name} waits for another look of ${asking.join(', ')}: ${change.location}` }
  if (rules.merge === 'auto' && standing.queue) return queueMove(standing.queue, name, change)
  if (rules.merge === 'auto' && mergeable === 'blocked')
    return { move: 'wait', reason: `${name} is held by the rules of ${change.base}: ${change.location}` }
  if (rules.merge === 'auto') return { move: 'merge' }
  return { move: 'wait', reason: `${name} waits for a person to merge it: ${change.location}` }
}

/** Into the queue, unless somebody or something has just said no. */
function queueMove({ putOut, refused }: QueueStanding, name: string, { base, location }: ChangeStanding['change']): ChangeMove {
  const no = putOut ? `was put out of the merge queue of ${base} (${putOut.reason})` : undefined
  const why = no ?? (refused === undefined ? undefined : `is not let into the merge queue of ${base} (${refused})`)
  return why === undefined ? { move: 'merge' } : { move: 'wait', reason: `${name} ${why}: ${location}` }
}

/** What has not been taken up yet: change requests at once, failed checks when the others have ended, too. */
function feedbackOf(state: TicketState, { change, checks, reviews, queue }: ChangeStanding): Feedback {
  const answered = state.ledger.change?.answered ?? new Set()
  const asked = wanting(reviews).map(({ id, login, body }) => entryOf('review', `review:${id}`, login, body))
  const isRunning = checks.some((check) => check.state === 'pending')
  const failed = isRunning ? [] : checks.filter((check) => check.state === 'failure')
  const broken = failed.map(({ name, text }) => entryOf('check', `check:${name}@${change.headCommit}`, name, text))
  const putOut =
    queue?.putOut?.why === 'checks' ? [entryOf('check', `queue:${queue.putOut.id}`, 'merge queue', queue.putOut.text)] : []
  return [...asked, ...broken, ...putOut].filter(({ id }) => !answered.has(id)).slice(0, 20)
}

/** The last word of each person who may write, where that is a request for changes. */
function wanting(reviews: readonly Review[]): Review[] {
  const last = new Map<string, Review>()
  for (const review of reviews) if (review.state !== 'commented' && mayWrite(review.permission)) last.set(review.login, review)
  return [...last.values()].filter(({ state }) => state === 'changes-requested')
}

function entryOf(from: 'review' | 'check', id: string, name: string, text: string): Feedback[number] {
  const kept = text.toWellFormed().trim()
  const isLong = kept.length > MOST_TEXT
  return { from, id, name: name.slice(0, 200), text: isLong ? `${kept.slice(0, MOST_TEXT).toWellFormed()}…` : kept }
}
