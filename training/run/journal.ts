/**
 * A run's desk in the git directory while it is at work: what happened, what was measured, where to go on. It is not
 * truth; the run folder in the working tree is made from it when the run is done.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { digestOf } from '../../core/canonical.ts'
import { type Clock, timestamp } from '../../core/clock.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { appendDurably, writeAtomically } from '../../core/files.ts'
import { loadCheckpoint, saveCheckpoint } from '../checkpoint.ts'
import { parsePolicy, renderPolicy } from '../policy/model-file.ts'
import type { Metrics, PolicyModel, TrainingState } from '../types.ts'
import { RUN_STATES, type RunState, requireFollows } from './state.ts'

/** One line of `events.jsonl`. */
export interface RunEvent {
  type: 'state' | 'anomaly' | 'note'
  /** ISO 8601, UTC. */
  at: string
  state?: RunState
  [fact: string]: unknown
}

/** A learner's state was kept. It is told and not recorded: where checkpoints fall depends on who stopped a run. */
export interface Checkpoint {
  type: 'checkpoint'
  at: string
  seed: number
  /** Environment steps done. */
  steps: number
  /** Updates and finished episodes since the checkpoint before. */
  updates: number
  episodes: number
}

/** Hears of everything that happens to a run, after it was written down. */
export type Listener = (event: RunEvent | Checkpoint) => void

/** One line of `metrics.jsonl`: what one update of one learner measured. */
export interface MetricRow {
  seed: number
  /** Environment steps done. */
  steps: number
  metrics: Metrics
}

export interface Journal {
  readonly folder: string
  readonly state: RunState | undefined
  readonly events: readonly RunEvent[]
  /** Writes a state down before it takes effect. @throws VT_RUN_STATE when it cannot follow */
  enter(state: RunState, facts?: Record<string, unknown>): Promise<void>
  note(type: 'anomaly' | 'note', facts: Record<string, unknown>): Promise<void>
  /** Keeps a learner's state, what it measured since the checkpoint before, and its best policy where one is chosen. */
  save(seed: number, state: TrainingState, rows: readonly MetricRow[], best: BestPolicy | undefined): Promise<void>
  /**
   * Hands a learner's last checkpoint to `take`, and returns what it had measured then, and its best policy; undefined
   * where there is none.
   *
   * @param keepsBest whether a best policy has to be there as soon as held-out episodes were looked at
   * @throws VT_SAFETENSORS, VT_CHECKPOINT_DAMAGED, VT_CHECKPOINT_FOREIGN, also of `take`, with what to do about it
   */
  load(
    seed: number,
    take: (state: TrainingState) => void | Promise<void>,
    keepsBest?: boolean,
  ): Promise<{ rows: MetricRow[]; best: BestPolicy | undefined } | undefined>
}

/** The policy that did best on the episodes watched during training. */
export interface BestPolicy {
  score: number
  model: PolicyModel
}

/** Returns where the runs of a clone are at work. */
export function workFolder(stateDir: string, run: string): string {
  return join(stateDir, 'training', run)
}

/** Opens a run's journal, as it was left. */
export async function openJournal(folder: string, clock: Clock, onEvent: Listener = () => {}): Promise<Journal> {
  await mkdir(folder, { recursive: true })
  const file = join(folder, 'events.jsonl')
  const before = await textOf(file)
  const events = lines<RunEvent>(before)
  if (before !== '' && !before.endsWith('\n')) await writeAtomically(file, jsonl(events))
  const append = async (event: RunEvent) => {
    await appendDurably(file, jsonl([event]))
    events.push(event)
    onEvent(event)
  }
  let state = events.findLast((event) => event.state !== undefined && RUN_STATES.includes(event.state))?.state
  const checkpoint = (seed: number) => join(folder, `seed-${seed}.safetensors`)
  const metrics = (seed: number) => join(folder, `seed-${seed}.jsonl`)
  const bestFile = (seed: number) => join(folder, `seed-${seed}.best.json`)
  return {
    folder,
    events,
    get state() {
      return state
    },
    async enter(next, facts = {}) {
      if (state !== undefined) requireFollows(state, next)
      await append({ type: 'state', at: timestamp(clock), state: next, ...facts })
      state = next
    },
    note: (type, facts) => append({ type, at: timestamp(clock), ...facts }),
    async save(seed, saved, rows, best) {
      // Rows first: those after the checkpoint are cut off again when it is loaded, missing ones could not be had back.
      await appendDurably(metrics(seed), jsonl(rows))
      // A best policy of after the checkpoint does no harm: the learner comes by it again, and to the same score.
      if (best !== undefined) await writeAtomically(bestFile(seed), renderBest(best))
      await saveCheckpoint(checkpoint(seed), saved)
      const episodes = rows.reduce((sum, { metrics }) => sum + (metrics.episodes ?? 0), 0)
      onEvent({ type: 'checkpoint', at: timestamp(clock), seed, steps: saved.steps, updates: rows.length, episodes })
    },
    async load(seed, take, keepsBest = false) {
      const file = checkpoint(seed)
      const saved = await loadCheckpoint(file)
        .then(async (state) => {
          await take(state)
          return state
        })
        .catch((cause) => {
          if ((cause as { code?: string }).code === 'VT_CHECKPOINT_MISSING') return undefined
          throw unusable(cause, file)
        })
      if (saved === undefined) {
        await writeAtomically(metrics(seed), '')
        return undefined
      }
      const rows = lines<MetricRow>(await textOf(metrics(seed))).filter(({ steps }) => steps <= saved.steps)
      // Two kills between rows and checkpoint leave the same updates twice; the later ones are the same numbers.
      const kept = [...new Map(rows.map((row) => [row.steps, row])).values()]
      await writeAtomically(metrics(seed), jsonl(kept))
      const best = parseBest(await textOf(bestFile(seed)), bestFile(seed))
      const hasLooked = kept.some(({ metrics }) => metrics.heldout_return_mean !== undefined)
      if (keepsBest && hasLooked && best === undefined) throw bestLost(bestFile(seed), 'is gone')
      return { rows: kept, best }
    },
  }
}

const DAMAGES: readonly string[] = ['VT_SAFETENSORS', 'VT_CHECKPOINT_DAMAGED', 'VT_CHECKPOINT_FOREIGN']

/** There is one checkpoint a learner; the run comes to the same bytes without it. */
function unusable(cause: unknown, file: string): unknown {
  if (!(cause instanceof ValuetrainError) || !DAMAGES.includes(cause.code)) return cause
  return new ValuetrainError(cause.code as `VT_${string}`, cause.message, {
    kind: 'environment',
    hint: `move ${file} away and train the same again: it begins anew, and comes to the same bytes`,
    details: cause.details,
    cause,
  })
}

const Best = z.object({ score: z.number(), weights: z.string(), model: z.string(), digest: z.string() })

function renderBest({ score, model }: BestPolicy): string {
  const { weights, model: about } = renderPolicy(model)
  const best = { score, weights: Buffer.from(weights).toString('base64'), model: about }
  return `${JSON.stringify({ ...best, digest: digestOf(best) })}\n`
}

function parseBest(text: string, file: string): BestPolicy | undefined {
  if (text === '') return undefined
  try {
    const { digest, ...best } = Best.parse(JSON.parse(text))
    if (digestOf(best) !== digest) throw new Error('it was changed after it was written')
    return { score: best.score, model: parsePolicy({ weights: Buffer.from(best.weights, 'base64'), model: best.model }, file) }
  } catch (cause) {
    throw bestLost(file, 'does not hold the policy that was kept in it', cause)
  }
}

function bestLost(file: string, why: string, cause?: unknown): ValuetrainError {
  const checkpoint = file.replace(/best\.json$/, 'safetensors')
  return new ValuetrainError('VT_CHECKPOINT_DAMAGED', `${file} ${why}`, {
    kind: 'environment',
    // Alone it would not come back: what was best so far may never be met again after the checkpoint.
    hint: `move it and ${checkpoint} away and train the same again: it begins anew, and comes to the same bytes`,
    details: { file },
    cause,
  })
}

/** Returns values as lines of JSON. */
export function jsonl(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('')
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return ''
    throw cause
  })
}

/** A process that dies while it appends leaves a torn last line; what it said did not happen yet. */
function lines<T>(text: string): T[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as T]
    } catch {
      return []
    }
  })
}
