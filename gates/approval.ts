import type { EventData, PlacedEntry } from '../core/contracts/event.ts'
import { mayWrite } from '../core/contracts/forge.ts'
import type { RoleId } from '../core/contracts/names.ts'
import { eventsOf } from './view.ts'

export interface Approval {
  name: string
  at: string
}

/**
 * Returns the approvals of people for a gate on one of the given subjects, one a person. Configuration is no person:
 * what it says in advance is no answer to a question about this work.
 *
 * @param roles any role when empty
 * @param forgeOnly counts only what a person with write access said on the forge, where a login stands behind it
 */
export function approvalsOf(
  entries: readonly PlacedEntry[],
  gate: string,
  subjects: readonly string[],
  roles: readonly RoleId[] = [],
  forgeOnly = false,
): Approval[] {
  const people = new Map<string, Approval>()
  for (const { ts, data } of eventsOf(entries, 'APPROVED')) {
    const { actor } = data
    const counts =
      data.gate === gate &&
      subjects.includes(data.subject) &&
      data.channel !== 'configuration' &&
      actor.kind === 'human' &&
      (roles.length === 0 || roles.includes(actor.role)) &&
      (!forgeOnly || isFromForge(data))
    const name = actor.name ?? 'a person'
    if (counts && !people.has(name)) people.set(name, { name, at: ts })
  }
  return [...people.values()]
}

function isFromForge({ channel, via }: EventData<'APPROVED'>): boolean {
  return (channel === 'review' || channel === 'comment') && via !== undefined && mayWrite(via.permission)
}

export interface Waiver {
  name: string
  reason: string
  /** ISO 8601, UTC. */
  expires: string
}

/**
 * Returns the override of a gate by a person that counts now, the latest one, or undefined.
 *
 * @param rule  what the gate's definition allows; an override never lasts longer than `maxDays`
 */
export function waiverOf(
  entries: readonly PlacedEntry[],
  gate: string,
  subjects: readonly string[],
  rule: { allowed: boolean; roles: readonly RoleId[]; maxDays: number },
  now: number,
): Waiver | undefined {
  if (!rule.allowed) return undefined
  const waivers = eventsOf(entries, 'OVERRIDDEN').flatMap(({ ts, data }): Waiver[] => {
    const { actor } = data
    const counts =
      data.gate === gate &&
      subjects.includes(data.subject) &&
      data.channel !== 'configuration' &&
      actor.kind === 'human' &&
      (rule.roles.length === 0 || rule.roles.includes(actor.role))
    const latest = Date.parse(ts) + rule.maxDays * DAY_MS
    const asked = data.expires === undefined ? latest : Date.parse(data.expires)
    const ends = Math.min(latest, asked)
    if (!counts || !(now < ends)) return []
    return [{ name: actor.name ?? 'a person', reason: data.reason, expires: new Date(ends).toISOString() }]
  })
  return waivers.at(-1)
}

const DAY_MS = 24 * 60 * 60 * 1000
