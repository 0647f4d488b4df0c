import type { Finding } from '../../core/contracts/gate.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { ChangedPath } from '../../core/tree.ts'
import { isPrefix, parseSegment, segmentOfFile } from '../../sessions/index.ts'
import { byFindings } from '../gate.ts'
import { eventsOf, ticketOfPath, type View } from '../view.ts'
import { builtin } from './builtin.ts'

/** A ticket is done once its folder with its DELIVERED entry is on the base. From then on only a redaction may touch it. */
export const frozen = builtin(
  {
    id: 'frozen',
    title: 'Delivered tickets stay as they are',
    why: 'the record of a delivered ticket is history; what is wrong with it is said in a new ticket',
    subject: 'range',
  },
  {
    inputs: async (view) => ({ base: await view.git.text(['rev-parse', `${view.context.base}^{tree}`]) }),
    async judge(view) {
      const findings: Finding[] = []
      for (const change of await view.changes()) {
        const ticket = ticketOfPath(change.path)
        if (ticket === undefined || !(await isDelivered(view, ticket))) continue
        if (await isAllowed(view, change)) continue
        const message = `${change.path} belongs to ticket ${ticket}, which is delivered, and is changed`
        findings.push({ rule: 'delivered-changed', severity: 'error', message, path: change.path })
      }
      return byFindings(findings, 'no delivered ticket is changed')
    },
  },
)

async function isDelivered(view: View, ticket: string): Promise<boolean> {
  const { entries } = await view.session('base', ticket)
  const last = (...types: string[]) => entries.findLastIndex((entry) => types.includes(entry.type))
  return eventsOf(entries, 'DELIVERED').length > 0 && last('DELIVERED') > last('REOPENED', 'CHANGE_RETURNED', 'CHANGE_CLOSED')
}

/**
 * The head has what the base has (the ticket's own branch, after it was merged), or its session with data blanked and
 * the entry that says why, which may stand in a segment of its own.
 */
async function isAllowed(view: View, { path, status }: ChangedPath): Promise<boolean> {
  // A link in the place of a file says what it leads to, and that may change without it.
  if (status === 'D' || status === 'T') return false
  const [before, after] = await Promise.all([view.base.read(path), view.head.read(path)])
  if (before === after) return true
  if (after === undefined || segmentOfFile(path.slice(path.lastIndexOf('/') + 1)) === undefined) return false
  return isRedaction(before, after, path)
}

/** Tells whether a session file differs from its earlier text only by blanked data and by entries that tell of it. */
export function isRedaction(before: string | undefined, after: string, path: string): boolean {
  try {
    const now = parseSegment(after, path)
    const old = before === undefined ? [] : [parseSegment(before, path)]
    const added = now.entries.slice(old[0]?.entries.length ?? 0)
    return now.findings.length === 0 && isPrefix(old, [now]) && added.every(({ type }) => TELLS.has(type))
  } catch (error) {
    if (error instanceof ValuetrainError) return false
    throw error
  }
}

const TELLS: ReadonlySet<string> = new Set(['SEGMENT_OPENED', 'REDACTED'])
