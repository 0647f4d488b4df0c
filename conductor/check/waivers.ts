import type { EventData, PlacedEntry } from '../../core/contracts/event.ts'
import type { Skip } from '../../core/contracts/evidence.ts'
import type { Finding, GateSpec } from '../../core/contracts/gate.ts'

/** A gate that somebody set aside, as the summary shows it. */
export interface ShownWaiver {
  kind: 'waiver' | 'skip'
  gate: string
  ticket: string | null
  by: string
  reason: string
  /** ISO 8601, UTC. */
  expires: string
  /** Whether its time is over. */
  expired: boolean
}

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Returns what was set aside in a range: overrides of its sessions, and checks that hooks left out on a person's word. Every one has a
 * reason, an actor and an end; an override that names none ends where the gate's own definition lets it end at most.
 */
export function waiversOf(
  sessions: readonly { ticket: string; entries: readonly PlacedEntry[] }[],
  skips: readonly Skip[],
  gates: ReadonlyMap<string, GateSpec>,
  now: number,
): ShownWaiver[] {
  const waivers = sessions.flatMap(({ ticket, entries }) =>
    entries.flatMap((entry): ShownWaiver[] => {
      if (entry.type === 'FOUND' && entry.data !== null) return skipIn(entry.data, ticket, entry.ts)
      if (entry.type !== 'OVERRIDDEN' || entry.data === null) return []
      const { gate, actor, reason, expires: asked } = entry.data
      const latest = Date.parse(entry.ts) + (gates.get(gate)?.waiver.maxDays ?? 14) * DAY_MS
      const ends = asked === undefined ? latest : Math.min(latest, Date.parse(asked))
      const by = actor.name ?? (actor.kind === 'human' ? 'a person' : 'an agent')
      return [{ kind: 'waiver', gate, ticket, by, reason, expires: new Date(ends).toISOString(), expired: !(now < ends) }]
    }),
  )
  const left = skips.map(
    ({ gate, by, reason, expires }): ShownWaiver => ({
      kind: 'skip',
      gate,
      ticket: null,
      by,
      reason,
      expires,
      expired: !(now < Date.parse(expires)),
    }),
  )
  return [...waivers, ...left]
}

/** A check that a hook was told to leave out, as the session has it: it held for that one commit and ended with it. */
function skipIn({ finding, actor }: EventData<'FOUND'>, ticket: string, at: string): ShownWaiver[] {
  if (finding.rule !== 'check-skipped') return []
  const [, gate = 'hooks', reason = finding.message] = /^(.+?) was skipped at [^:]*: (.*)$/s.exec(finding.message) ?? []
  return [{ kind: 'skip', gate, ticket, by: actor.name ?? 'a person', reason, expires: at, expired: true }]
}

/** Returns a notice for each, so that no report of a check is without them. */
export function waiverFindings(waivers: readonly ShownWaiver[]): Finding[] {
  return waivers.map(({ kind, gate, by, reason, expires, expired }) => ({
    rule: kind === 'waiver' ? 'gate-waived' : 'gate-skipped',
    severity: 'notice',
    message: `${gate} was ${kind === 'waiver' ? 'waived' : 'left out'} by ${by} ${expired ? 'until' : 'and is so until'} ${expires}: ${reason}`,
  }))
}
