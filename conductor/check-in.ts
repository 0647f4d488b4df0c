import type * as z from 'zod'
import type { Moment } from '../core/contracts/event.ts'
import type { Job, Step } from './job.ts'
import { momentKey } from './state.ts'

/** Returns whether the operator has answered at this moment of the attempt. */
export function wasAsked({ state }: Job['desk'], moment: z.infer<typeof Moment>): boolean {
  return state.ledger.checkedIn.has(momentKey(moment, state.control))
}

/**
 * Asks the operator at one of the four moments, when the configuration wants that and the attempt has not been asked
 * yet; the ticket then waits until `ticket approve` answers.
 *
 * @param isAlways asks whatever the configuration says of the moment: something else wants the answer
 */
export async function ask(
  { desk, definitions }: Job,
  moment: z.infer<typeof Moment>,
  question: string,
  recommendation: string,
  isAlways = false,
): Promise<Step | undefined> {
  if (!isAlways && !definitions.config.checkIns.includes(moment)) return undefined
  if (wasAsked(desk, moment)) return undefined
  await desk.record('CHECK_IN_ASKED', { moment, question, options: ['continue', 'abort'], recommendation })
  return {
    stop: 'waiting',
    reason: `${question}; answer with \`valuetrain ticket approve ${desk.state.ledger.opened?.issue.number}\``,
  }
}
