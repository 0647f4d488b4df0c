import type * as z from 'zod'
import type { Moment } from '../core/contracts/event.ts'
import type { Job, Step } from './job.ts'
import { momentKey } from './state.ts'

/**
 * Asks the operator at one of the four moments, when the configuration wants that and the attempt has not been asked
 * yet; the ticket then waits until `ticket approve` answers.
 */
export async function ask(
  { desk, definitions }: Job,
  moment: z.infer<typeof Moment>,
  question: string,
  recommendation: string,
): Promise<Step | undefined> {
  if (!definitions.config.checkIns.includes(moment)) return undefined
  if (desk.state.ledger.checkedIn.has(momentKey(moment, desk.state.control))) return undefined
  await desk.record('CHECK_IN_ASKED', { moment, question, options: ['continue', 'abort'], recommendation })
  return {
    stop: 'waiting',
    reason: `${question}; answer with \`valuetrain ticket approve ${desk.state.ledger.opened?.issue.number}\``,
  }
}
