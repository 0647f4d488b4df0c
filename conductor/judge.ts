import { join } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import { timestamp } from '../core/clock.ts'
import type { GateResult, GateSpec, Stage } from '../core/contracts/gate.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { appendEvidence, ticketEvidenceRef } from '../core/evidence-refs.ts'
import { writeAtomically } from '../core/files.ts'
import { isAncestor, resolveCommit, subjectTree } from '../core/tree.ts'
import { decide, type JudgeContext, judgeGates, openCheckout, renderSummary } from '../gates/index.ts'
import { ask } from './check-in.ts'
import { type Definitions, phaseGates } from './definitions.ts'
import type { Job, Step } from './job.ts'
import { turnReason } from './job.ts'
import { attemptsLeft, phaseAfter } from './machine.ts'
import { commitRecord } from './record.ts'
import { strike, wait } from './work.ts'

/** File name of the change summary in the ticket's artifacts. */
export const SUMMARY_FILE = 'change-summary.md'

/** Renders the change summary from the log and the diff; the `summary` gate holds it to its recorded digest. */
export async function renderPapers(job: Job): Promise<Step> {
  const { desk, definitions } = job
  const path = `${ticketFolder(desk.ticket)}/artifacts/${SUMMARY_FILE}`
  const head = await desk.tip()
  const text = await renderSummary({
    git: desk.git,
    base: await branchedFrom(job, head),
    head,
    ticket: desk.ticket,
    issue: desk.state.ledger.opened?.issue,
    entries: desk.entries,
    config: definitions.config,
  })
  await writeAtomically(join(desk.worktree.dir, path), text)
  await commitRecord(desk, 'Record the change summary', [path])
  await desk.record('ARTIFACT_WRITTEN', { path, digest: sha256(text) })
  return 'go-on'
}

/** Judges what the phase asks in a clean checkout, ticks the items that hold, and decides. */
export async function judgePhase(job: Job): Promise<Step> {
  const { desk, definitions, pipeline } = job
  const { control, ledger } = desk.state
  if (control.turn === undefined && isFailedTurn(job)) {
    await desk.record('DECIDED', strike(job, 'turn-failed', [turnReason(ledger.lastTurn as NonNullable<typeof ledger.lastTurn>)]))
    await commitRecord(desk, `Record the decision on ${control.phase}`)
    return 'go-on'
  }
  const { specs } = phaseGates(definitions, pipeline, control.phase as string)
  await commitRecord(desk, `Record the work on ${control.phase}`)
  const head = await desk.tip()
  await judgeOn(job, definitions, specs, { stage: 'advance', base: await branchedFrom(job, head), head })
  await tickItems(job)
  return decidePhase(job, await subjectTree(desk.git, 'HEAD'))
}

/**
 * Returns the commit from which the branch counts its own changes: the ticket's base, or the newest commit of the default
 * branch that has been taken in since. Asks no remote.
 */
async function branchedFrom({ desk, definitions }: Job, head: string): Promise<string> {
  const { branch, remote } = definitions.config
  const refs = [`refs/heads/${branch}`, ...(remote === null ? [] : [`refs/remotes/${remote}/${branch}`])]
  let from = definitions.commit
  for (const ref of refs) {
    const there = await resolveCommit(desk.git, ref)
    if (there === undefined) continue
    const { stdout, code } = await desk.git.run(['merge-base', there, head], { okExit: [0, 1] })
    if (code === 0 && (await isAncestor(desk.git, from, stdout.trim()))) from = stdout.trim()
  }
  return from
}

/** Judges gates on a commit and records each result as it comes; results of equal key are not judged again. */
export async function judgeOn(
  job: Job,
  definitions: Definitions,
  specs: readonly GateSpec[],
  { stage, base, head }: { stage: Stage; base: string; head: string },
  record = true,
): Promise<GateResult[]> {
  const { desk } = job
  const { ports } = desk
  const { control } = desk.state
  const checkout = lazily(() =>
    openCheckout(ports.repository, definitions.config, head, job.env, { isJailWaived: ports.isJailWaived, base }),
  )
  const context: JudgeContext = {
    stage,
    repository: ports.repository,
    ticket: desk.ticket,
    base,
    head,
    checkout: async () => (await checkout.get()).fresh(),
    entries: desk.entries,
    config: definitions.config,
    method: definitions.method,
    judges: definitions.extensions.judges,
    pipeline: job.pipeline.id,
    phase: control.phase as string,
    attempt: control.attempt,
    env: job.env,
    ...(ports.isJailWaived ? { isJailWaived: true } : {}),
    results: [...desk.state.ledger.results.values()],
    clock: ports.clock,
    ids: ports.ids,
    signal: job.signal,
  }
  const phase = control.phase as string
  try {
    const results = await judgeGates(specs, context, async (result) => {
      const standing = desk.state.control.results[result.gate]
      // After a restart a result that stands already is found again by its key; it is not said twice.
      const stands = standing?.key === result.key && standing.verdict === result.verdict && result.reusedFrom !== undefined
      if (!record || stands) return
      await desk.record('GATE_JUDGED', { stage, phase, attempt: control.attempt, result })
    })
    if (record) await shareEvidence(job, stage, head, results)
    return results
  } finally {
    await checkout.opened()?.then(({ close }) => close())
  }
}

/**
 * Puts what is about the tree alone on the ticket's evidence ref, where it is found by tree when the commits go on
 * without their session. The session is the record; a ref that cannot be written is told and stops nothing.
 */
async function shareEvidence({ desk }: Job, stage: Stage, head: string, results: readonly GateResult[]): Promise<void> {
  const { repository, clock, onProgress } = desk.ports
  const ofTree = results.filter(({ subject }) => subject.kind === 'tree' || subject.kind === 'staged')
  try {
    await appendEvidence(repository.git, ticketEvidenceRef(desk.ticket), {
      v: 1,
      by: 'conductor',
      stage,
      tree: await subjectTree(desk.git, head),
      results: ofTree.map(({ gate, verdict, spec, key }) => ({ gate, verdict, spec, key })),
      at: timestamp(clock),
    })
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    onProgress(desk.ticket, `the evidence ref was not written: ${error.message}`)
  }
}

function isFailedTurn({ desk }: Job): boolean {
  return (desk.state.snapshot.value as { work: { active?: { working?: string } } }).work.active?.working === 'failed'
}

/** Ticks each item of which every gate holds; a tick that stands already for the same result is not said twice. */
async function tickItems({ desk, definitions, pipeline }: Job): Promise<void> {
  const { control, ledger } = desk.state
  for (const { item, gates } of phaseGates(definitions, pipeline, control.phase as string).items) {
    const results = gates.map((gate) => control.results[gate])
    const last = results.at(-1)
    if (last === undefined || !results.every((result) => result !== undefined && HOLDS.has(result.verdict))) continue
    const before = ledger.ticks.findLast((tick) => tick.item === item.id && tick.phase === control.phase)
    if (before?.result === last.id) continue
    await desk.record('ITEM_TICKED', {
      item: item.id,
      phase: control.phase as string,
      attempt: control.attempt,
      subject: last.subject.digest,
      result: last.id,
    })
  }
}

const HOLDS: ReadonlySet<string> = new Set(['pass', 'waived', 'not-applicable'])

async function decidePhase(job: Job, subject: string): Promise<Step> {
  const { desk } = job
  const { control } = desk.state
  const phase = control.phase as string
  const now = new Date(desk.ports.clock.now()).toISOString()
  const decision = decide(
    control.mode as NonNullable<typeof control.mode>,
    control.required,
    control.results,
    now,
    control.subject,
  )
  const common = { phase, attempt: control.attempt, reasons: decision.reasons, subject }
  if (decision.allow) {
    const to = phaseAfter(control)
    const asked =
      to === undefined ? undefined : await ask(job, 'after-milestone', `Phase ${phase} is through its gates`, 'continue')
    if (asked) return asked
    await desk.record('DECIDED', { ...common, outcome: 'advance', code: 'gates-passed', ...(to === undefined ? {} : { to }) })
    await commitRecord(desk, `Record the advance from ${phase}`)
    return 'go-on'
  }
  if (decision.next === 'hold') {
    await desk.record('DECIDED', { ...common, outcome: 'hold', code: 'people-missing' })
    const waiting = await wait(job, 'approval', decision.reasons.join('; '))
    await commitRecord(desk, `Record the hold in ${phase}`)
    return waiting
  }
  if (changedNothing(job)) {
    await desk.record('DECIDED', { ...common, outcome: 'block', code: 'nothing-changed' })
  } else {
    const last = attemptsLeft(control) <= 1
    await desk.record('DECIDED', { ...strike(job, last ? 'three-strikes' : 'gates-failed', decision.reasons), subject })
  }
  await commitRecord(desk, `Record the decision on ${phase}`)
  return 'go-on'
}

/** A change that is not there is nothing that another attempt of the same kind would mend. */
function changedNothing({ desk }: Job): boolean {
  const change = desk.state.control.results.change
  return change?.verdict === 'fail' && change.findings.some(({ rule }) => rule === 'nothing-changed')
}

function lazily<T>(make: () => Promise<T>): { get(): Promise<T>; opened(): Promise<T> | undefined } {
  let made: Promise<T> | undefined
  return {
    get: () => {
      made ??= make()
      return made
    },
    opened: () => made,
  }
}
