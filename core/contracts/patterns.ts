/**
 * The names of things and what they look like, without schemas: what a git hook may load, since building schemas costs
 * it as much time as all its work.
 */

/** The nine operational modes, in the order of the methodology. */
export const MODES = ['intake', 'discover', 'scope', 'design', 'build', 'evaluate', 'deliver', 'operate', 'improve'] as const
export type ModeId = (typeof MODES)[number]

/** Child states of the two modes that have them. */
export const CHILD_STATES = {
  build: ['dev', 'extract', 'features', 'train'],
  evaluate: ['qa', 'model-eval'],
} as const satisfies Partial<Record<ModeId, readonly string[]>>
export type ChildState = (typeof CHILD_STATES)[keyof typeof CHILD_STATES][number]

/** The seven roles. */
export const ROLES = ['conductor', 'onboarder', 'lab', 'studio', 'ops', 'evaluator', 'improver'] as const
export type RoleId = (typeof ROLES)[number]

/** Every condition a ticket can be in. `queued` and `done` are derived, never written. */
export const STATUSES = [
  'queued',
  'claimed',
  'working',
  'gating',
  'waiting',
  'blocked',
  'paused',
  'aborted',
  'delivered',
  'done',
] as const
export type Status = (typeof STATUSES)[number]

export const SLUG = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/
export const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
export const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/
export const DIGEST = /^[0-9a-f]{64}$/
export const TICKET = /^([a-z][a-z0-9]*(?:-[a-z0-9]+)*)_([1-9][0-9]{0,8})$/

/** Returns the ticket's name: the first phase of its stretch and the issue, `build_42`. */
export function ticketOf(phase: string, issue: number): string {
  return `${phase}_${issue}`
}

/** Returns phase and issue of a ticket's name, or undefined when it is not one. */
export function parseTicket(ticket: string): { phase: string; issue: number } | undefined {
  const match = TICKET.exec(ticket)
  return match ? { phase: match[1] as string, issue: Number(match[2]) } : undefined
}

/** Returns the branch a ticket works on, without `refs/heads/`. */
export function branchOf(ticket: string): string {
  return `phase/${ticket}`
}

/** Returns the ticket a branch belongs to, or undefined when it is not a ticket's branch. */
export function ticketOfBranch(branch: string): string | undefined {
  const name = branch.startsWith('phase/') ? branch.slice('phase/'.length) : ''
  return parseTicket(name) ? name : undefined
}

/** Where a ticket's folder lies in the repository, with forward slashes. */
export function ticketFolder(ticket: string): string {
  return `.valuetrain/tickets/${ticket}`
}
