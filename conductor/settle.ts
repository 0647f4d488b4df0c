import type { Config } from '../core/config.ts'
import type { Change, HostedForge } from '../core/contracts/forge.ts'
import { ValuetrainError } from '../core/errors.ts'
import { type Lease, renewLease } from '../core/lease.ts'
import { pushBranch } from '../core/push.ts'
import { fetchTickets } from '../core/remote-branches.ts'
import { defaultBase } from '../core/repository.ts'
import { commitTree, mergeTree, resolveCommit } from '../core/tree.ts'
import { catchUp } from './catch-up.ts'
import { bodyOf, deliveredReports, holdBack, ifReached, sayReturned, type Told, titleOf } from './change.ts'
import { type ChangeMove, moveOf } from './change-move.ts'
import { mergeMessage } from './deliver.ts'
import type { Desk } from './desk.ts'
import type { Ports } from './ports.ts'
import { findTicket } from './sources.ts'
import { takeDown } from './take-down.ts'

/** A delivered ticket, as its claim's owner holds it. */
export interface Delivered extends Told {
  lease: Lease
  merge: 'auto' | 'person'
  /** Opens the ticket to record what came back. */
  open(): Promise<Desk>
}

/** What settling a delivered change came to. `again`: the ticket is open again, and something is due. */
export type Settled = { outcome: 'merged'; reason: string } | { outcome: 'waiting'; reason: string } | { outcome: 'again' }

/**
 * Carries a delivered ticket on at a forge of another machine: pushes it, reports its gates, makes the change ready, and
 * then does what the forge's view of it asks for: merge it, take up what came back, judge it again, or wait. That it is
 * merged is believed only when the ticket stands delivered on the default branch. Everything may be done twice.
 */
export async function settleChange(ports: Ports, forge: HostedForge, delivered: Delivered): Promise<Settled> {
  const { state, lease, merge } = delivered
  const { git } = ports.repository
  const found = await forge.findChange(state.branch)
  const isClosed = found?.state === 'closed'
  if (found && isClosed && !state.ledger.change?.closed.has(found.id))
    return act(ports, forge, delivered, found, await moveAt(forge, delivered, found, ''))
  if (found?.state === 'merged') return arrive(ports, delivered, found)
  const head = await resolveCommit(git, `refs/heads/${state.branch}`)
  if (head === undefined) return { outcome: 'waiting', reason: `branch ${state.branch} is gone here and not merged there` }
  try {
    await pushBranch(ports.repository, lease, state.branch, head)
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.code !== 'VT_BRANCH_MOVED') throw error
    // Somebody else pushed to the branch: what they added is judged with the rest.
    return judgeAgain(ports, delivered, error.message)
  }
  await renewLease(ports.repository, lease)
  const body = await bodyOf(git, head, delivered)
  const change = found && !isClosed ? found : await forge.openChange(draftOf(delivered, body))
  await makeReady(ports, forge, delivered, change, head, body)
  return act(ports, forge, delivered, change, await moveAt(forge, delivered, change, head), merge === 'auto' ? head : undefined)
}

async function moveAt(
  forge: HostedForge,
  { state, definitions, merge }: Delivered,
  change: Change,
  head: string,
): Promise<ChangeMove> {
  const standing = await forge.observeChange(change)
  return moveOf(state, standing, head, { merge, upToDate: definitions.config.delivery.upToDate })
}

/** Gates first, then ready: whoever is asked to look finds what they look at judged. */
async function makeReady(
  ports: Ports,
  forge: HostedForge,
  delivered: Delivered,
  change: Change,
  head: string,
  body: string,
): Promise<void> {
  const { state, definitions } = delivered
  const { reports, summary } = deliveredReports(state)
  await forge.reportGates(head, reports, summary)
  await forge.updateChange(change, { title: titleOf(state), body, draft: false })
  const { labels, reviewers } = definitions.config.delivery
  const asked = state.ledger.change?.reviewers ?? reviewers.slice(0, 1)
  if (labels.length + asked.length === 0) return
  await ifReached(ports, state.ticket, () => forge.updateChange(change, { labels, reviewers: asked }))
}

async function act(
  ports: Ports,
  forge: HostedForge,
  delivered: Delivered,
  change: Change,
  move: ChangeMove,
  head?: string,
): Promise<Settled> {
  const { state, definitions } = delivered
  switch (move.move) {
    case 'wait':
      return { outcome: 'waiting', reason: move.reason }
    case 'arrive':
      return arrive(ports, delivered, change)
    case 'merge':
      return head === undefined
        ? { outcome: 'waiting', reason: 'nothing is to be merged' }
        : mergeThere(ports, forge, delivered, change, head)
    case 'judge-again':
      return judgeAgain(ports, delivered, move.reason)
    case 'return': {
      await renewLease(ports.repository, delivered.lease)
      await sayReturned(forge, state, change.id, move.feedback)
      await holdBack(forge, state, definitions.config)
      const desk = await delivered.open()
      const people = move.feedback.find(({ from }) => from === 'review')
      await desk.record('CHANGE_RETURNED', {
        change: change.id,
        feedback: move.feedback,
        ...(people ? { actor: { kind: 'human', role: 'evaluator', name: people.name } } : {}),
      })
      await desk.leave('returned')
      return { outcome: 'again' }
    }
    case 'close': {
      const desk = await delivered.open()
      await desk.record('CHANGE_CLOSED', { change: change.id, reason: move.reason })
      await desk.leave('blocked')
      return { outcome: 'again' }
    }
  }
}

async function judgeAgain(ports: Ports, delivered: Delivered, reason: string): Promise<Settled> {
  const { definitions, lease, state } = delivered
  await fetchTickets(ports.repository, definitions.config)
  await catchUp(ports, state.ticket, lease, definitions.config.workspace.keep)
  const desk = await delivered.open()
  await desk.record('REOPENED', { reason, to: 'delivery' })
  await desk.leave('reopened')
  return { outcome: 'again' }
}

/** The forge merges the delivered head, and only into the base that it was judged on. */
async function mergeThere(
  ports: Ports,
  forge: HostedForge,
  delivered: Delivered,
  change: Change,
  head: string,
): Promise<Settled> {
  const { state, definitions, lease } = delivered
  const { git } = ports.repository
  const base = state.ledger.delivered?.base as string
  const merged = await mergeTree(git, base, head)
  if ('conflicts' in merged) return judgeAgain(ports, delivered, `conflicts in ${merged.conflicts.join(', ')}`)
  const merge = await commitTree(git, {
    tree: merged.tree,
    parents: [base, head],
    message: mergeMessage(state, 'none', 'judged'),
  })
  await renewLease(ports.repository, lease)
  const done = await forge.merge({ ticket: state.ticket, into: definitions.config.branch, base, head, merge })
  if (done.outcome === 'merged') return arrive(ports, delivered, change)
  if (done.outcome === 'moved')
    return judgeAgain(ports, delivered, `${definitions.config.branch} has moved to ${done.base.slice(0, 10)}`)
  return { outcome: 'waiting', reason: `${done.reason}: ${change.location}` }
}

/** Believes a merge when the ticket's folder with its DELIVERED entry is on the default branch: merge, squash and rebase alike. */
async function arrive(ports: Ports, { state, definitions }: Delivered, change: Change): Promise<Settled> {
  const { config } = definitions
  const commit = await arrivedAt(ports, state.ticket, config)
  if (commit === undefined) {
    const where = change.location === '' ? `pull request ${change.id}` : change.location
    const reason = `${where} is merged, but ${config.branch} does not hold the delivered ticket; nothing is taken down`
    return { outcome: 'waiting', reason }
  }
  await takeDown(ports, state.ticket, config)
  return { outcome: 'merged', reason: `merged by pull request ${change.id}, now on ${config.branch} at ${commit.slice(0, 10)}` }
}

async function arrivedAt(ports: Ports, ticket: string, config: Config): Promise<string | undefined> {
  await fetchTickets(ports.repository, config)
  const { commit } = await defaultBase(ports.repository, config)
  const found = await findTicket(ports.repository, ticket, commit, config.remote)
  return found?.done ? commit : undefined
}

function draftOf({ state, definitions }: Delivered, body: string) {
  return {
    ticket: state.ticket,
    issue: state.ledger.opened?.issue.number ?? 0,
    title: titleOf(state),
    body,
    head: state.branch,
    base: definitions.config.branch,
    draft: true,
  }
}
