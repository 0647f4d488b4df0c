import type { Ports } from '../conductor/ports.ts'
import type { TicketLog } from '../training/router/index.ts'
import type { Context } from './context.ts'

/**
 * Returns a choice of runtimes in which phases of training are worked by the `train` runtime wherever the committed
 * configuration names what is trained and the command line names nobody else.
 *
 * @param decisions of every ticket; read when a router is trained on them
 */
export async function choosingTraining(
  choose: Ports['choose'],
  context: Pick<Context, 'env' | 'clock' | 'ids'>,
  decisions?: () => Promise<TicketLog[]>,
): Promise<Ports['choose']> {
  const { TRAIN_RUNTIME, trainRuntime, worksPhase } = await import('../training/runtime.ts')
  return (issue, facts) => {
    const { training } = facts.config
    const runtime = trainRuntime({ ...context, training, ...(decisions ? { decisions } : {}) })
    const isTraining = worksPhase(facts.phase) && training.config !== null
    if (isTraining && (facts.override === undefined || facts.override === TRAIN_RUNTIME)) return { runtime }
    return choose(issue, { ...facts, runtimes: [...facts.runtimes, runtime] })
  }
}
