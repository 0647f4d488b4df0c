import * as z from 'zod'
import { ValuetrainError } from '../errors.ts'
import { DIGEST, MODES, OBJECT_ID, parseTicket, ROLES, SLUG, TICKET, ULID } from './patterns.ts'

export * from './patterns.ts'

export const Slug = z.string().regex(SLUG, 'is not a slug (a-z, 0-9 and single dashes)')
export const Ulid = z.string().regex(ULID, 'is not a ULID')
export const ObjectId = z.string().regex(OBJECT_ID, 'is not a git object id')
export const Digest = z.string().regex(DIGEST, 'is not a SHA-256 in hex')
export const TicketId = z.string().regex(TICKET, 'is not a ticket name like build_42')
export const IssueNumber = z.int().min(1).max(999_999_999)
export const Mode = z.enum(MODES)
export const Role = z.enum(ROLES)
export const Child = z.enum(['dev', 'extract', 'features', 'train', 'qa', 'model-eval'])

/**
 * Returns the number an issue argument names: `42`, `#42`, or a ticket name like `build_42`.
 *
 * @throws VT_ISSUE_ARGUMENT when it is none of these
 */
export function parseIssueArgument(text: string): number {
  const number = /^#?([1-9][0-9]{0,8})$/.exec(text)?.[1]
  if (number !== undefined) return Number(number)
  const ticket = parseTicket(text)
  if (ticket) return ticket.issue
  throw new ValuetrainError('VT_ISSUE_ARGUMENT', `"${text.slice(0, 80)}" is not an issue number`, {
    hint: 'give the number, as in `valuetrain run 42`; `valuetrain issue list` shows them',
  })
}
