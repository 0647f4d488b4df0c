import { digestOf } from '../core/canonical.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { PhaseSpec } from '../core/contracts/method.ts'
import type { Lease } from '../core/lease.ts'
import { requireWorkable } from '../core/repository.ts'
import type { Opening } from './desk.ts'
import type { NextTicket, Wanted } from './next.ts'
import type { Ports } from './ports.ts'
import { isRouted, routedLabels } from './route.ts'

/**
 * Tells what an issue lacks to be worked at all; nothing is opened for it, so that a label given later still counts. Both are
 * looked at together, the issue and what work here needs, and what the issue lacks is told first.
 *
 * @returns the issue besides, where a ticket is to be opened for it
 * @throws what `requireWorkable` throws
 */
export async function readyToBegin(ports: Ports, wanted: Wanted, next: NextTicket): Promise<Begun> {
  const [begun, workable] = await Promise.allSettled([
    needsOf(ports, wanted, next),
    requireWorkable(ports.repository, next.definitions.config),
  ])
  if (begun.status === 'rejected') throw begun.reason
  if (begun.value.needs === undefined && workable.status === 'rejected') throw workable.reason
  return begun.value
}

interface Begun {
  needs?: string | undefined
  issue?: Issue
}

async function needsOf(ports: Ports, wanted: Wanted, next: NextTicket): Promise<Begun> {
  const first = next.phases[0]
  if (next.found || first?.works !== true) return {}
  const issue = await ports.forge.readIssue(wanted.issue)
  const chosen = chooseFor(ports, wanted, next, issue, first)
  return { needs: 'needs' in chosen ? chosen.needs : undefined, issue }
}

/** What a choice of runtimes knows of a phase. */
export function asPhase({ name, mode, child }: PhaseSpec): NonNullable<Parameters<Ports['choose']>[1]['phase']> {
  return { name, mode, child }
}

function chooseFor(
  ports: Ports,
  wanted: Wanted,
  { definitions, found }: NextTicket,
  issue: Pick<Issue, 'number' | 'labels'>,
  phase: PhaseSpec,
) {
  const labels = routedLabels(ports, definitions.config, issue.labels, wanted.agent, found?.state)
  return ports.choose(
    { ...issue, labels },
    {
      config: definitions.config,
      override: wanted.agent,
      runtimes: [...ports.runtimes, ...definitions.extensions.runtimes],
      phase: asPhase(phase),
    },
  )
}

/** Returns what a ticket is opened with, for the first time or again. */
export async function openingOf(ports: Ports, wanted: Wanted, next: NextTicket, lease: Lease): Promise<Opening> {
  const { definitions, pipeline, phases, ticket, found, after } = next
  const issue = await snapshotIssue(ports, wanted.issue, next)
  const base = found?.state.ledger.opened?.base ?? definitions.commit
  const first = phases[0] as PhaseSpec
  const known = found?.state.control
  const chosen = chooseFor(ports, wanted, next, issue, phases.find(({ name }) => name === known?.phase) ?? first)
  return {
    ticket,
    pipeline: pipeline.id,
    phase: known?.phase ?? first.name,
    mode: known?.mode ?? first.mode,
    base,
    lease,
    definitions,
    setAside: next.setAside,
    reason: lease.epoch > (found?.state.ledger.epoch ?? lease.epoch) ? 'taken-over' : 'resumed',
    opened: {
      ticket,
      issue: { number: issue.number, title: issue.title, body: issue.body, digest: issue.digest, labels: [...issue.labels] },
      pipeline: pipeline.id,
      stretch: phases.map(({ name }) => name),
      base,
      definitions: definitions.digest,
      runtime: isRouted(ports, definitions.config, issue.labels, wanted.agent)
        ? 'routed'
        : 'runtime' in chosen
          ? chosen.runtime.id
          : 'none',
      epoch: lease.epoch,
      attempts: definitions.config.attempts,
      ...(issue.parent === undefined ? {} : { parent: issue.parent }),
      ...(after === undefined ? {} : { after }),
    },
  }
}

/** The issue as it was when the ticket was opened; as the forge has it only for a ticket that is not open yet. */
async function snapshotIssue(ports: Ports, number: number, next: NextTicket) {
  const opened = next.found?.state.ledger.opened
  if (opened) return { ...opened.issue, parent: opened.parent }
  const issue = next.issue ?? (await ports.forge.readIssue(number))
  return { ...issue, digest: digestOf({ title: issue.title, body: issue.body, labels: issue.labels }) }
}
