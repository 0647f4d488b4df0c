import type { TurnLimits, TurnOutcome, TurnRequest } from '../../core/contracts/runtime.ts'
import type { runProcess } from '../../core/process.ts'

/** How a process ended. */
export type Ran = Awaited<ReturnType<typeof runProcess>>

/**
 * Returns why a command did not do its work, in words that follow the command's name; undefined when it did.
 *
 * @param okExit exit codes that count as success
 */
export function outcomeOf(
  ran: Ran,
  { signal, limits }: Pick<TurnRequest, 'signal' | 'limits'>,
  okExit: readonly number[] = [0],
): { outcome: TurnOutcome; what: string } | undefined {
  if (signal.aborted) return { outcome: 'cancelled', what: 'was cancelled' }
  if (ran.timedOut !== undefined) return { outcome: 'timed-out', what: LIMIT_WORDS[ran.timedOut](limits) }
  if (ran.missing) return { outcome: 'failed', what: 'could not be found on PATH' }
  if (ran.signal) return { outcome: 'failed', what: `was ended by ${ran.signal}` }
  return okExit.includes(ran.exit ?? -1) ? undefined : { outcome: 'failed', what: `ended with exit code ${ran.exit}` }
}

const LIMIT_WORDS: Record<NonNullable<Ran['timedOut']>, (limits: TurnLimits) => string> = {
  launch: ({ launchMs }) => `did not start within ${seconds(launchMs)}`,
  'first-output': ({ firstOutputMs }) => `printed nothing within ${seconds(firstOutputMs)}`,
  silence: ({ silenceMs }) => `went silent for ${seconds(silenceMs)}`,
  total: ({ totalMs }) => `was not finished when the turn's ${seconds(totalMs)} were over`,
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`
}
