import type { Via } from '../core/contracts/event.ts'
import { ValuetrainError } from '../core/errors.ts'
import { type Lease, readLease, releaseLease, takeLease } from '../core/lease.ts'
import { fetchTickets } from '../core/remote-branches.ts'
import { listWorktrees } from '../core/worktree.ts'
import type { RollbackGoal } from '../sessions/index.ts'
import { applyAct, type DeskAct, refuseUnfit, type Speaker } from './acts.ts'
import { catchUp, type SetAside } from './catch-up.ts'
import { committedConfig, type Definitions, loadDefinitions } from './definitions.ts'
import { type Desk, openDesk } from './desk.ts'
import { dropRequest } from './inbox.ts'
import type { Ports } from './ports.ts'
import { planRollback, rollBack } from './rollback.ts'
import { type FoundTicket, findTickets } from './sources.ts'

/** What an operator can do to a ticket, at its desk or to the ticket as a whole. */
export type Act = DeskAct | { type: 'release' } | { type: 'rollback'; goal: RollbackGoal; reason: string }

/** Who says so: a name as git or the forge knows it, and where on the forge it stands. */
export interface Operator {
  name: string
  via?: Via
}

export interface Operation {
  /** False when another process works the ticket and will fold the request in. */
  applied: boolean
  /** What happened, one sentence for people. */
  text: string
}

/**
 * Does an operator's act: takes the claim, opens a segment of its own and records the event; when another process
 * works the ticket, drops the request in its inbox instead.
 *
 * @throws VT_TICKET_UNKNOWN; VT_ACT_REFUSED when the ticket's state does not take the act; VT_LEASE_HELD when the act
 *   cannot wait in an inbox
 */
export async function operate(ports: Ports, issue: number, act: Act, operator: Operator): Promise<Operation> {
  const { repository } = ports
  const config = await committedConfig(repository)
  await fetchTickets(repository, config)
  const found = await openTicket(ports, issue)
  if (act.type === 'release') return release(ports, issue, config.lease.ttlMs)
  const speaker: Speaker = { actor: { kind: 'human', role: 'conductor', name: operator.name }, via: operator.via }
  if (act.type !== 'rollback') refuseUnfit(found, act)
  let lease: Lease
  try {
    lease = await takeLease(repository, {
      issue,
      remote: config.remote,
      ids: ports.ids,
      clock: ports.clock,
      ttlMs: config.lease.ttlMs,
      epochFloor: found.state.ledger.epoch,
    })
  } catch (error) {
    if (error instanceof ValuetrainError && error.code === 'VT_LEASE_HELD') return dropFor(ports, found, act, speaker, error)
    throw error
  }
  try {
    const definitions = await loadDefinitions(repository, found.state.ledger.opened?.base as string)
    const setAside = await catchUp(ports, found.ticket, lease, definitions.config.workspace.keep)
    const desk = await openFor(ports, found, lease, speaker, definitions, setAside)
    try {
      const text =
        act.type === 'rollback' ? await goBack(desk, found, act, speaker) : await applyAct(desk, act, speaker, definitions)
      await desk.leave(desk.state.status)
      return { applied: true, text }
    } finally {
      await desk.release()
    }
  } finally {
    await releaseLease(repository, lease)
  }
}

async function goBack(
  desk: Desk,
  found: FoundTicket,
  act: Extract<Act, { type: 'rollback' }>,
  { actor }: Speaker,
): Promise<string> {
  const plan = await planRollback(desk.git, desk.ports.env, found, act.goal)
  const checkpoint = await rollBack(desk, plan, actor, act.reason)
  return `${desk.ticket} is back at entry ${plan.entry}; what was there before is checkpoint ${checkpoint}`
}

async function openTicket(ports: Ports, issue: number): Promise<FoundTicket> {
  const config = await committedConfig(ports.repository)
  const tickets = (await findTickets(ports.repository, config)).filter((found) => found.issue === issue)
  const live = tickets.find(({ done }) => !done)
  if (live) return live
  const why = tickets.length > 0 ? `issue ${issue} is done` : `issue ${issue} has no ticket yet`
  throw new ValuetrainError('VT_TICKET_UNKNOWN', why, {
    hint: tickets.length > 0 ? 'a done ticket is frozen; open a new issue' : `start it with \`valuetrain run ${issue}\``,
  })
}

async function dropFor(ports: Ports, found: FoundTicket, act: Act, speaker: Speaker, held: ValuetrainError): Promise<Operation> {
  const worktree = (await listWorktrees(ports.repository)).find(({ branch }) => branch === found.state.branch)
  if (worktree === undefined || act.type === 'rollback' || act.type === 'release') throw held
  const gitDir = await ports.repository.git.at(worktree.dir).text(['rev-parse', '--absolute-git-dir'])
  await dropRequest(gitDir, ports.ids.ulid(), { act, ...speaker })
  return { applied: false, text: `${act.type} was handed to the process that works ${found.ticket}` }
}

async function openFor(
  ports: Ports,
  found: FoundTicket,
  lease: Lease,
  speaker: Speaker,
  definitions: Definitions,
  setAside: SetAside | undefined,
): Promise<Desk> {
  const { control, ledger } = found.state
  const opened = ledger.opened as NonNullable<typeof ledger.opened>
  return openDesk(ports, {
    ticket: found.ticket,
    pipeline: opened.pipeline,
    phase: control.phase ?? (control.next as string),
    mode: control.mode ?? definitions.method.pipelines.get(opened.pipeline)?.phases[0]?.mode ?? 'build',
    base: opened.base,
    lease,
    definitions,
    setAside,
    opened,
    actor: speaker.actor,
    reason: 'operator',
  })
}

async function release(ports: Ports, issue: number, ttlMs: number): Promise<Operation> {
  const { repository } = ports
  const config = await committedConfig(repository)
  const held = await readLease(repository, { issue, remote: config.remote })
  if (held === undefined) return { applied: true, text: `nobody holds issue ${issue}` }
  // Taking a claim applies the rules of takeover: a living holder keeps it.
  // A claim from elsewhere is watched for its whole time before it may be taken.
  const lease = await takeLease(repository, {
    issue,
    remote: config.remote,
    ids: ports.ids,
    clock: ports.clock,
    ttlMs,
    watchMs: ttlMs,
  })
  await releaseLease(repository, lease)
  return { applied: true, text: `the claim on issue ${issue} is released` }
}
