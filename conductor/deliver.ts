import { join } from 'node:path'
import { digestOf } from '../core/canonical.ts'
import type { Config } from '../core/config.ts'
import { withLock } from '../core/lock.ts'
import { defaultBase } from '../core/repository.ts'
import { commitTree, isAncestor, mergeTree, resolveCommit, subjectTree } from '../core/tree.ts'
import { decide } from '../gates/index.ts'
import { hostedOf, titleOf } from './change.ts'
import { ask } from './check-in.ts'
import { loadDefinitions, stretchGates } from './definitions.ts'
import type { Job, Step } from './job.ts'
import { judgeOn } from './judge.ts'
import type { Ports } from './ports.ts'
import { commitRecord, withTrailers } from './record.ts'
import type { TicketState } from './state.ts'
import { takeInBase } from './take-in.ts'
import { strike } from './work.ts'

/**
 * Judges what the default branch would become: the merge of the branch into it as it is now, under the gates that it
 * has now. When they say yes, DELIVERED is written, the last entry the branch carries.
 */
export async function deliver(job: Job): Promise<Step> {
  const asked = await ask(job, 'before-push', 'The change is ready to be delivered', 'continue')
  if (asked) return asked
  const { desk, definitions } = job
  const { repository } = desk.ports
  const base = await defaultBase(repository, definitions.config)
  await commitRecord(desk, 'Record the work')
  const tip = await desk.tip()
  const merged = await mergeTree(desk.git, base.commit, tip)
  if ('conflicts' in merged) return takeInBase(job, base.commit, merged.conflicts)
  const head = hostedOf(desk.ports) ? await bringUpToDate(job, base.commit, tip, merged.tree) : tip
  const candidate = await commitTree(desk.git, {
    tree: merged.tree,
    parents: [base.commit, head],
    message: mergeMessage(desk.state, `${desk.segment}:${desk.head}`, 'judging'),
  })
  const present = base.commit === definitions.commit ? definitions : await loadDefinitions(repository, base.commit)
  const asks = stretchGates(present, job.pipeline.id, desk.state.control.stretch)
  const results = await judgeOn(job, present, asks.specs, { stage: 'pull-request', base: base.commit, head: candidate })
  const merge = await subjectTree(desk.git, candidate)
  const now = new Date(desk.ports.clock.now()).toISOString()
  const decision = decide('deliver', asks.required, results, now, merge)
  if (!decision.allow) {
    await desk.record('DECIDED', strike(job, 'merge-result-failed', decision.reasons))
    await commitRecord(desk, 'Record the decision on the merge result')
    return 'go-on'
  }
  await desk.record('DELIVERED', {
    base: base.commit,
    head,
    merge,
    verdicts: results.map(({ gate, verdict, key }) => ({ gate, verdict, key })),
  })
  return { stop: 'delivered', reason: 'the change is delivered' }
}

/** Merges a base that has moved into the branch, so that what a forge then merges is what was judged: the branch's own tree. */
async function bringUpToDate({ desk, definitions }: Job, base: string, tip: string, tree: string): Promise<string> {
  if (await isAncestor(desk.git, base, tip)) return tip
  const number = desk.state.ledger.opened?.issue.number
  const head = await commitTree(desk.git, {
    tree,
    parents: [tip, base],
    message: withTrailers(`Merge ${definitions.config.branch} into ${desk.state.branch} (#${number})`, {
      'Valuetrain-Ticket': desk.ticket,
      'Valuetrain-Session': `${desk.segment}:${desk.head}`,
    }),
  })
  await desk.git.run(['merge', '--quiet', '--ff-only', head])
  return head
}

/** Merging a ticket came to this; `stale`: what was judged is no longer what a merge would give. */
export type Merging =
  | { outcome: 'merged'; commit: string }
  | { outcome: 'waiting'; reason: string }
  | { outcome: 'stale'; reason: string }

/** Merges a delivered ticket if the default branch is still where the merge result was judged. */
export async function mergeDelivered(ports: Ports, state: TicketState, config: Config, session: string): Promise<Merging> {
  const { repository, forge } = ports
  const { git } = repository
  const { delivered } = state.ledger
  const head = await resolveCommit(git, `refs/heads/${state.branch}`)
  const base = (await defaultBase(repository, config)).commit
  if (delivered === undefined || head === undefined) return { outcome: 'stale', reason: 'the branch is gone' }
  if (await isAncestor(git, head, base)) return { outcome: 'merged', commit: base }
  const merged = await mergeTree(git, base, head)
  if ('conflicts' in merged) return { outcome: 'stale', reason: `conflicts in ${merged.conflicts.join(', ')}` }
  if (base !== delivered.base || (await subjectTree(git, merged.tree)) !== delivered.merge) {
    return { outcome: 'stale', reason: `${config.branch} has moved since the change was judged` }
  }
  const verdict = `pass ${digestOf(delivered.verdicts).slice(0, 16)}`
  const merge = await commitTree(git, {
    tree: merged.tree,
    parents: [base, head],
    message: mergeMessage(state, session, verdict),
  })
  const change = await forge.openChange({
    ticket: state.ticket,
    issue: state.ledger.opened?.issue.number ?? 0,
    title: titleOf(state),
    body: '',
    head: state.branch,
    base: config.branch,
    draft: false,
  })
  for (const result of delivered.verdicts) await forge.reportGate(change.headCommit, result.gate, result.verdict, '')
  const done = await forge.merge({ ticket: state.ticket, into: config.branch, base, head, merge })
  if (done.outcome === 'merged') return done
  if (done.outcome === 'moved') return { outcome: 'stale', reason: `${config.branch} has moved to ${done.base.slice(0, 10)}` }
  const paths = done.paths.length > 0 ? `: ${done.paths.join(', ')}` : ''
  return { outcome: 'waiting', reason: `${done.reason}${paths}` }
}

/** Runs `work` while no other process of this clone judges or makes a merge. */
export function inMergeTurn<T>(ports: Ports, work: () => Promise<T>): Promise<T> {
  return withLock(join(ports.repository.stateDir, 'merge.lock'), work, { clock: ports.clock, waitMs: 3_600_000 })
}

/** Returns the message of the commit that merges a ticket. */
export function mergeMessage(state: TicketState, session: string, verdict: string): string {
  const number = state.ledger.opened?.issue.number
  return withTrailers(`Merge ${state.ticket}: ${titleOf(state)}`.slice(0, 68).concat(` (#${number})`), {
    'Valuetrain-Ticket': state.ticket,
    'Valuetrain-Session': session,
    'Valuetrain-Verdict': verdict,
  })
}
