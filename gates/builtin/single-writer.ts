import type { Finding } from '../../core/contracts/gate.ts'
import { prefixFindings } from '../../sessions/index.ts'
import { byFindings } from '../gate.ts'
import { builtin } from './builtin.ts'

/** Sessions where the range starts are a prefix of those at its head, and every chain verifies. */
export const singleWriter = builtin(
  {
    id: 'single-writer',
    title: 'Sessions were only appended to',
    why: 'the session is the truth about a ticket, so nobody edits, reorders or removes what it says',
    subject: 'range',
    waiver: { allowed: false },
  },
  {
    async judge(view) {
      const findings: Finding[] = []
      const tickets = await view.tickets()
      for (const ticket of tickets) {
        const before = await view.session('from', ticket)
        const after = await view.session('head', ticket)
        findings.push(...prefixFindings(before.segments, after.segments), ...after.findings)
      }
      return byFindings(findings, `the sessions of ${tickets.length} ${tickets.length === 1 ? 'ticket' : 'tickets'} verify`)
    },
  },
)
