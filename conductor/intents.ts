import { sha256 } from '../core/canonical.ts'
import type { Config } from '../core/config.ts'
import { checkShape } from '../core/config.ts'
import { isHosted } from '../core/contracts/forge.ts'
import { Intent } from '../core/contracts/intent.ts'
import { branchOf, ticketFolder } from '../core/contracts/names.ts'
import { type Counter, type CounterAnswer, openCounter } from '../core/counter.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Desk } from './desk.ts'
import type { Job } from './job.ts'
import type { TicketState } from './state.ts'

/** Statements that one turn gets an answer to; one that talks without end is not written down without end. */
const MOST = 200

/**
 * Opens the counter of a turn: agents say there what they want done outside their worktree, the policy says yes or no, and both
 * is in the log before anything is done. Comments and labels are done at once, the rest after the turn.
 */
export async function openIntents(job: Job, turn: string, tools: readonly string[]): Promise<Counter | undefined> {
  const { desk, definitions } = job
  const broker = desk.ports.broker?.({
    issue: desk.state.ledger.opened?.issue.number ?? 0,
    branch: branchOf(desk.ticket),
    tools,
    protected: definitions.config.protected,
    approved: [],
    artifacts: `${ticketFolder(desk.ticket)}/artifacts`,
    steering: steeringLabels(definitions.config),
  })
  if (broker === undefined) return undefined
  let count = 0
  return openCounter(async (statement): Promise<CounterAnswer> => {
    if (++count > MOST) return { allowed: false, reasons: [`a turn gets ${MOST} answers, and this is one more`] }
    const intent = readIntent(statement)
    if ('problem' in intent) {
      await desk.record('INTENT_STATED', { turn, allowed: false, reasons: [intent.problem] })
      return { allowed: false, reasons: [intent.problem] }
    }
    const ruling = broker.judge(intent)
    const reasons = ruling.allowed ? [] : ruling.reasons
    const stated = await desk.record('INTENT_STATED', { turn, intent, allowed: ruling.allowed, reasons })
    if (!ruling.allowed) return ruling
    if (intent.kind !== 'comment' && intent.kind !== 'label') return { allowed: true, reasons, how: 'after the turn' }
    const settled = await attempt(() => speak(desk, intent))
    await desk.record('INTENT_SETTLED', { intent: stated.id, ...settled })
    return { allowed: true, reasons, how: settled.how }
  })
}

function readIntent(statement: unknown): Intent | { problem: string } {
  try {
    return checkShape(Intent, statement, 'intent')
  } catch (error) {
    if (error instanceof ValuetrainError) return { problem: error.message.slice(0, 500) }
    throw error
  }
}

/** Labels by which people say what is worked, by whom and whether. */
function steeringLabels({ labels }: Config): string[] {
  return [labels.auto, ...(labels.task === null ? [] : [labels.task]), ...labels.priorities, ...labels.excluded]
}

type Settled = { done: boolean; how: string }

type Speech = Extract<Intent, { kind: 'comment' | 'label' }>

/**
 * Says a comment or sets labels. The same words are said once a ticket under an issue: a turn whose program was killed is
 * worked anew, and says again what it had said.
 */
async function speak(desk: Desk, intent: Speech): Promise<Settled> {
  const { forge } = desk.ports
  if (!isHosted(forge)) {
    const what = intent.kind === 'comment' ? 'has no place for comments; it stands in the session' : 'leaves labels to people'
    return { done: intent.kind === 'comment', how: `the local forge ${what}` }
  }
  if (intent.kind === 'comment') await forge.comment(intent.issue, `${desk.ticket}:said:${sha256(intent.text)}`, intent.text)
  else await forge.show(intent.issue, { add: intent.add, remove: intent.remove })
  return { done: true, how: intent.kind === 'comment' ? `said under issue ${intent.issue}` : `labelled issue ${intent.issue}` }
}

/**
 * Does what was let through and waits for the commit: the push, and the pull request as a draft. Comments and labels are here
 * only when the program was killed before it knew that they are there.
 */
export async function settleIntents({ desk, definitions }: Job): Promise<void> {
  for (const { id, intent } of openIntentsOf(desk.state)) {
    if (intent.kind === 'ask') continue
    const settled = await attempt(async (): Promise<Settled> => {
      if (intent.kind === 'commit') return { done: true, how: 'its message is part of the commit of the turn' }
      if (intent.kind === 'push') {
        const there = await desk.publish()
        return { done: there, how: there ? `${intent.branch} is where it is shared` : 'the remote is away; it is pushed later' }
      }
      if (intent.kind !== 'open-pull-request') return speak(desk, intent)
      const { issue } = desk.state.ledger.opened ?? {}
      const { title, body, branch: head } = intent
      const draft = {
        ticket: desk.ticket,
        issue: issue?.number ?? 0,
        title,
        body,
        head,
        base: definitions.config.branch,
        draft: true,
      }
      return { done: true, how: `proposed as ${(await desk.ports.forge.openChange(draft)).location}` }
    })
    await desk.record('INTENT_SETTLED', { intent: id, ...settled })
  }
}

/** Returns the question a turn asked a person, if it was let through and nobody has been asked it yet. */
export function openQuestion(state: TicketState, turn: string): { id: string; text: string } | undefined {
  const asked = openIntentsOf(state).findLast(({ turn: of, intent }) => of === turn && intent.kind === 'ask')
  if (asked?.intent.kind !== 'ask') return undefined
  const { question, options } = asked.intent
  return { id: asked.id, text: options.length === 0 ? question : `${question} (${options.join(' / ')})` }
}

/** Returns what an agent wants to have said in the commit of its turn, without lines that could be taken for ours. */
export function commitMessageOf(state: TicketState): string | undefined {
  const { lastTurn, intents } = state.ledger
  const last = intents.findLast(({ turn, intent }) => turn === lastTurn?.turn && intent.kind === 'commit')?.intent
  if (last?.kind !== 'commit') return undefined
  const lines = last.message.split(/\r?\n/).filter((line) => !/^[A-Za-z][A-Za-z-]*: /.test(line) && !line.startsWith('#'))
  return lines.join('\n').trim().slice(0, 2_000) || undefined
}

function openIntentsOf({ ledger }: TicketState) {
  return ledger.intents.filter(({ settled }) => !settled)
}

/** What a forge or a remote refuses is told, and stops no work. */
async function attempt(act: () => Promise<Settled>): Promise<Settled> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind === 'internal' || /^VT_(LEASE|BRANCH)/.test(error.code)) throw error
    return { done: false, how: error.message }
  }
}
