import { sha256 } from '../../core/canonical.ts'
import type { TurnLimits, TurnOutcome, TurnRequest } from '../../core/contracts/runtime.ts'
import type { ProcessResult } from '../../core/process.ts'
import { redactSecrets } from '../../core/secrets.ts'

/**
 * Returns why a command did not do its work, in words that follow the command's name; undefined when it did.
 *
 * @param okExit exit codes that count as success
 */
export function outcomeOf(
  ran: ProcessResult,
  { limits }: Pick<TurnRequest, 'limits'>,
  okExit: readonly number[] = [0],
): { outcome: TurnOutcome; what: string } | undefined {
  if (ran.aborted) return { outcome: 'cancelled', what: 'was cancelled' }
  if (ran.timedOut !== undefined) return { outcome: 'timed-out', what: LIMIT_WORDS[ran.timedOut](limits) }
  if (ran.missing) return { outcome: 'failed', what: 'could not be found on PATH' }
  if (ran.signal) return { outcome: 'failed', what: `was ended by ${ran.signal}` }
  return okExit.includes(ran.exit ?? -1) ? undefined : { outcome: 'failed', what: `ended with exit code ${ran.exit}` }
}

/** Returns the digest of what several commands printed: of one, its own; of more, over theirs in order. */
export function joinDigests(digests: readonly string[]): string {
  return digests.length === 1 ? (digests[0] as string) : sha256(digests.join('\n'))
}

const LIMIT_WORDS: Record<NonNullable<ProcessResult['timedOut']>, (limits: TurnLimits) => string> = {
  launch: ({ launchMs }) => `did not start within ${seconds(launchMs)}`,
  'first-output': ({ firstOutputMs }) => `printed nothing within ${seconds(firstOutputMs)}`,
  silence: ({ silenceMs }) => `went silent for ${seconds(silenceMs)}`,
  total: ({ totalMs }) => `was not finished when the turn's ${seconds(totalMs)} were over`,
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`
}

const TAIL_CHARACTERS = 4_000

/** Returns the end of an output as a result carries it. Secrets are hidden before it is cut, since half of one is found no more. */
export function tailOf(output: string): string {
  return redactSecrets(output).text.slice(-TAIL_CHARACTERS)
}
