/** How many processes a load of requests takes, from none to many; a pure decision, second by second. */
import { ValuetrainError } from '../../core/errors.ts'

export interface ScaleRule {
  /** Decisions a second that one process is to make. */
  perProcess: number
  /** Processes that are always there; 0 lets a policy nobody asks cost nothing. */
  least: number
  most: number
  /** Seconds that less has to be enough before a process goes. */
  idleS: number
}

/** One second of a load. */
export interface ScaleStep {
  second: number
  /** Requests that came. */
  requests: number
  /** Processes that answered in this second. */
  processes: number
  /** Requests above what those are to take: told by status 429 to come again, or, with no process, left to whoever starts one. */
  refused: number
  /** Processes wanted for the next second. */
  wanted: number
}

/**
 * Returns what a load takes. Processes are added as soon as a second needed more, and taken away when a whole idle time
 * has needed less, so that a load that comes and goes does not start and end them; what was decided counts from the next
 * second on.
 *
 * @param requests of each second
 * @throws VT_SERVE_SCALE for a rule or a load that cannot be
 */
export function scaleTrace(requests: readonly number[], rule: ScaleRule): ScaleStep[] {
  const { perProcess, least, most, idleS } = rule
  const whole = (value: number, low: number) => Number.isInteger(value) && value >= low
  if (!(perProcess > 0 && Number.isFinite(perProcess) && whole(least, 0) && whole(most, Math.max(1, least)) && whole(idleS, 1))) {
    throw scaleError(`${least} to ${most} processes of ${perProcess} decisions a second, idle after ${idleS} s, cannot be`)
  }
  const wrong = requests.findIndex((value) => !(Number.isFinite(value) && value >= 0))
  if (wrong >= 0) throw scaleError(`second ${wrong} of the load has ${requests[wrong]} requests`)
  const needed = requests.map((value) => Math.min(most, Math.max(least, Math.ceil(value / perProcess))))
  let processes = least
  // Seconds of the idle time that no later one needs as much as: the first of them needs the most.
  const peaks: number[] = []
  return requests.map((value, second) => {
    while (peaks.length > 0 && (needed[peaks.at(-1) as number] as number) <= (needed[second] as number)) peaks.pop()
    peaks.push(second)
    if ((peaks[0] as number) <= second - idleS) peaks.shift()
    const wanted = needed[peaks[0] as number] as number
    const step = { second, requests: value, processes, refused: Math.max(0, value - processes * perProcess), wanted }
    processes = wanted
    return step
  })
}

/** Returns the requests a second that a text says, one number a line. @throws VT_SERVE_SCALE naming the line */
export function parseLoad(text: string, file: string): number[] {
  const lines = text.split('\n').map((line) => line.trim())
  while (lines.at(-1) === '') lines.pop()
  if (lines.length === 0) throw scaleError(`${file} holds no load`)
  return lines.map((line, index) => {
    const value = Number(line)
    if (line !== '' && Number.isFinite(value) && value >= 0) return value
    throw scaleError(`${file} line ${index + 1} is "${line.slice(0, 40)}", no number of requests`)
  })
}

function scaleError(message: string): ValuetrainError {
  return new ValuetrainError('VT_SERVE_SCALE', message, {
    kind: 'user',
    hint: 'a load is a file with the requests of each second, one number a line; processes go from 0 to a number above',
  })
}
