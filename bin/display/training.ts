import type { Listener, Progress } from '../../training/run/index.ts'
import type { Context } from '../context.ts'
import { paintFor } from './paint.ts'
import { duration } from './text.ts'

/** Shows a run while it trains. */
export interface TrainingDisplay {
  progress(progress: Progress): void
  /** A state, a checkpoint, something odd; told to programs as it is. */
  event: Listener
  say(text: string): void
  close(): void
}

/** Milliseconds between two plain lines. */
const PLAIN_MS = 5_000

/** Returns JSON lines when asked, one live line on a terminal, a plain line every few seconds elsewhere. */
export function trainingDisplay(context: Context, { json }: { json: boolean }): TrainingDisplay {
  if (json) {
    const write = (value: object) => context.stdout.write(`${JSON.stringify(value)}\n`)
    return { progress: (progress) => write({ type: 'progress', ...progress }), event: write, say: () => {}, close: () => {} }
  }
  const paint = paintFor(context)
  let live = false
  let told = Number.NEGATIVE_INFINITY
  const erase = () => {
    if (live) context.stdout.write('\r\u001b[2K')
    live = false
  }
  let named = false
  return {
    progress(progress) {
      // By this a run that is killed in its first seconds can be gone on with, too.
      if (!named) this.say(begin(progress))
      named = true
      const line = tell(progress)
      if (context.interactive) {
        erase()
        context.stdout.write(paint.dim(line.slice(0, (context.stdout.columns ?? 80) - 1)))
        live = true
        return
      }
      const now = context.clock.monotonic()
      if (now - told < PLAIN_MS) return
      told = now
      context.stdout.write(`${line}\n`)
    },
    event(event) {
      if (event.type !== 'anomaly') return
      erase()
      context.stdout.write(`noticed ${event.code} (seed ${event.seed}, step ${event.steps}): ${event.evidence}\n`)
    },
    say(text) {
      erase()
      context.stdout.write(`${text}\n`)
    },
    close: erase,
  }
}

function begin({ run, steps, totalSteps }: Progress): string {
  return `run ${run}${steps > 0 ? ` goes on at ${steps} of ${totalSteps} steps` : ''}`
}

function tell({ state, seed, steps, totalSteps, stepsPerSecond, etaMs, usd, returnMean }: Progress): string {
  const share = Math.min(100, Math.floor((100 * steps) / totalSteps))
  return [
    `${state} seed ${seed}`,
    `${share} %`,
    `${steps}/${totalSteps} steps`,
    ...(stepsPerSecond > 0 ? [`${Math.round(stepsPerSecond)}/s`] : []),
    ...(etaMs === undefined ? [] : [`${duration(etaMs)} left`]),
    ...(usd > 0 ? [`$${usd.toFixed(4)}`] : []),
    ...(returnMean === undefined ? [] : [`return ${Number(returnMean.toPrecision(4))}`]),
  ].join('  ')
}
