import type { Config } from '../core/config.ts'
import type { EventData } from '../core/contracts/event.ts'
import { type Change, type Forge, type GateReport, type HostedForge, isHosted } from '../core/contracts/forge.ts'
import type { GateResult } from '../core/contracts/gate.ts'
import type { PipelineSpec } from '../core/contracts/method.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import { readSummary } from '../gates/index.ts'
import { stretches } from '../modes/index.ts'
import { changeBody } from './change-body.ts'
import type { Definitions } from './definitions.ts'
import { lookAtTickets } from './done.ts'
import type { Job } from './job.ts'
import type { Ports } from './ports.ts'
import { commitRecord } from './record.ts'
import type { TicketState } from './state.ts'

/** A ticket whose change is told about on a forge. */
export interface Told {
  state: TicketState
  entries: Job['desk']['entries']
  definitions: Definitions
  pipeline: PipelineSpec
}

/** Returns the forge where it is on another machine. */
export function hostedOf({ forge }: { forge: Forge }): HostedForge | undefined {
  return isHosted(forge) ? forge : undefined
}

/**
 * Does something on the forge that the work does not hang on: when the forge is away or refuses, that is told, and the
 * next occasion does it.
 */
export async function ifReached(ports: Ports, ticket: string, effect: () => Promise<unknown>): Promise<boolean> {
  try {
    await effect()
    return true
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind === 'internal' || error.code === 'VT_LEASE_LOST') throw error
    ports.onProgress(ticket, `not told to the forge yet: ${error.message}`)
    return false
  }
}

/**
 * Opens the change as a draft as soon as there is committed work, once: the intent stands in the log first, and a change
 * that is there for the branch already is adopted.
 */
export async function openDraft(job: Job, forge: HostedForge): Promise<void> {
  const { desk, definitions } = job
  const { change, work, opened } = desk.state.ledger
  if (change?.id !== undefined || work.length === 0 || opened === undefined) return
  const { config } = definitions
  if (change === undefined) {
    await desk.record('CHANGE_INTENDED', { branch: desk.state.branch, base: config.branch })
    await commitRecord(desk, 'Record the intent to open the change')
  }
  if (!(await desk.publish())) return
  await desk.renew()
  const head = await desk.tip()
  const reviewers = await chooseReviewers(desk.ports, config, desk.ticket)
  const draft = await forge.openChange({
    ticket: desk.ticket,
    issue: opened.issue.number,
    title: titleOf(desk.state),
    body: await bodyOf(desk.git, head, toldOf(job)),
    head: desk.state.branch,
    base: config.branch,
    draft: true,
  })
  // The session has the issue's text by now, and the remote has the session.
  await forge.dropIntent(opened.issue.number)
  await desk.record('CHANGE_OPENED', { change: draft.id, reviewers })
}

/** Makes the change a draft again: what is on the branch has not passed. */
export async function holdBack(forge: HostedForge, state: TicketState, config: Config): Promise<void> {
  const change = knownChange(state, config)
  if (change) await forge.updateChange(change, { draft: true })
}

/** Reports where the gates of the present phase stand on the branch's head. */
export async function reportStanding(job: Job, forge: HostedForge): Promise<void> {
  const { desk, definitions } = job
  const { control } = desk.state
  if (knownChange(desk.state, definitions.config) === undefined) return
  const head = await desk.tip()
  const reports = control.required.map(({ gate }) => reportOf(gate, control.results[gate]))
  await desk.renew()
  await forge.reportGates(head, reports, { title: `${control.phase}: ${tally(reports)}`, text: lines(reports) })
}

/** Returns one report a gate of a delivered ticket, and the summary over them. */
export function deliveredReports(state: TicketState): {
  reports: GateReport[]
  summary: { title: string; text: string }
} {
  const results = [...state.ledger.results.values()]
  const reports = (state.ledger.delivered?.verdicts ?? []).map(({ gate, verdict, key }) => ({
    ...reportOf(
      gate,
      results.findLast((result) => result.gate === gate && result.key === key),
    ),
    standing: verdict,
  }))
  return { reports, summary: { title: `merge result: ${tally(reports)}`, text: lines(reports) } }
}

/** Returns the text of a ticket's pull request as the log has it now. */
export async function bodyOf(git: Git, head: string, { state, entries, definitions, pipeline }: Told): Promise<string> {
  const { ledger, control, ticket } = state
  const summary = await readSummary({
    git,
    base: ledger.opened?.base as string,
    head,
    ticket,
    issue: ledger.opened?.issue,
    entries,
    config: definitions.config,
  })
  const all = [...ledger.results.values()]
  const evidence = ledger.delivered
    ? ledger.delivered.verdicts.flatMap(({ gate, key }) => all.findLast((one) => one.gate === gate && one.key === key) ?? [])
    : control.required.flatMap(({ gate }) => control.results[gate] ?? [])
  const started = entries.flatMap((entry) => (entry.type === 'TURN_STARTED' && entry.data ? [entry.data] : []))
  return changeBody({
    summary,
    isLast: stretches(pipeline).at(-1)?.[0]?.name === control.stretch[0],
    evidence,
    judged: ledger.delivered,
    usage: ledger.usage,
    turns: started.length,
    attempts: Math.max(1, ...Object.values(control.attempts)),
    refusals: ledger.refusals,
    unjailedTurns: started.filter(({ jailed }) => jailed === false).length,
  })
}

/** Says once on the issue why its ticket stopped, and what a person can do. */
export async function sayStopped(forge: HostedForge, state: TicketState): Promise<void> {
  const { opened, stopped, decisions, change } = state.ledger
  if (opened === undefined || state.status !== 'blocked') return
  const key = `${state.ticket}:stopped:${decisions.length}.${change?.answered.size ?? 0}.${change?.closed.size ?? 0}`
  const text = [
    `Ticket \`${state.ticket}\` is **blocked**:`,
    quoted(stopped ?? 'no reason is known'),
    `Its work is kept on branch \`${state.branch}\`. When what stood in the way is gone: \`valuetrain ticket resume ${opened.issue.number}\`.`,
  ]
  await forge.comment(opened.issue.number, key, text.join('\n\n'))
}

/** Says once on the change what of it is taken up. */
export async function sayReturned(
  forge: HostedForge,
  state: TicketState,
  change: string,
  feedback: EventData<'CHANGE_RETURNED'>['feedback'],
): Promise<void> {
  const key = `${state.ticket}:returned:${feedback.map(({ id }) => id).join(',')}`.slice(0, 400)
  const names = feedback.map(({ from, name }) => `- ${from === 'review' ? 'the review of' : 'the check'} ${inline(name)}`)
  await forge.comment(Number(change), key, `Taken up as another attempt of \`${state.ticket}\`:\n\n${names.join('\n')}`)
}

/** Returns the change that the log knows of, as much as asking about it takes. */
export function knownChange(state: TicketState, config: Pick<Config, 'branch'>): Change | undefined {
  const id = state.ledger.change?.id
  if (id === undefined) return undefined
  return {
    id,
    ticket: state.ticket,
    head: state.branch,
    headCommit: '',
    base: config.branch,
    title: titleOf(state),
    location: '',
    draft: false,
    state: 'open',
  }
}

/** Returns the title of a ticket's change: the issue's, in one line. */
export function titleOf(state: TicketState): string {
  return (state.ledger.opened?.issue.title ?? state.ticket).replace(/\s+/g, ' ').trim()
}

/** Returns how many live tickets each reviewer has, and those that nobody has been asked about under ''. */
export function openByReviewer(states: readonly TicketState[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { status, ledger } of states) {
    if (status === 'done' || status === 'aborted' || status === 'blocked') continue
    const reviewer = ledger.change?.reviewers[0] ?? ''
    counts.set(reviewer, (counts.get(reviewer) ?? 0) + 1)
  }
  return counts
}

async function chooseReviewers(ports: Ports, config: Config, ticket: string): Promise<string[]> {
  const { reviewers } = config.delivery
  if (reviewers.length < 2) return [...reviewers]
  const others = (await lookAtTickets(ports.repository, config)).open.filter((found) => found.ticket !== ticket)
  const open = openByReviewer(others.map(({ state }) => state))
  const least = reviewers.toSorted((a, b) => (open.get(a) ?? 0) - (open.get(b) ?? 0))[0]
  return least === undefined ? [] : [least]
}

function toldOf({ desk, definitions, pipeline }: Job): Told {
  return { state: desk.state, entries: desk.entries, definitions, pipeline }
}

function reportOf(gate: string, result: GateResult | undefined): GateReport {
  const standing = result?.verdict ?? 'missing'
  const places = (result?.findings ?? []).flatMap(({ path, line, message }) =>
    path === undefined ? [] : [{ path, line: line ?? 1, message }],
  )
  const description = result?.reasons[0] ?? (standing === 'missing' ? 'not judged yet' : standing)
  return { gate, standing, description, ...(places.length === 0 ? {} : { annotations: places }) }
}

function tally(reports: readonly GateReport[]): string {
  const holds = reports.filter(({ standing }) => ['pass', 'waived', 'not-applicable'].includes(standing)).length
  return `${holds} of ${reports.length} gates hold`
}

function lines(reports: readonly GateReport[]): string {
  return reports.map(({ gate, standing, description }) => `${gate}: ${standing}, ${description}`).join('\n')
}

/** Words from outside, shown and not rendered: nobody is mentioned and nothing is closed by them. */
function quoted(text: string): string {
  const kept = text.toWellFormed().slice(0, 4000)
  const longest = Math.max(2, ...[...kept.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}text\n${kept}\n${fence}`
}

function inline(text: string): string {
  return `\`${text.replace(/[`\p{Cc}]/gu, ' ').slice(0, 200)}\``
}
