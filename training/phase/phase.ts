import { readFile } from 'node:fs/promises'
import type { Clock } from '../../core/clock.ts'
import type { PlanRequest, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import type { Git } from '../../core/git.ts'
import type { Ids } from '../../core/ids.ts'
import type { TreeReader } from '../../core/reader.ts'
import type { TicketLog } from '../router/log.ts'
import { type AnyTrainConfig, parseAnyTrainConfig } from '../router/train/config.ts'
import type { BackendWishName } from '../run/backends.ts'
import { listRuns, type RunSource, readRun, type StoredRun } from '../run/folder.ts'
import type { Surroundings } from '../run/problem.ts'

/** Everything a phase of training knows before its turn. */
export interface PlanWork extends Surroundings {
  /** The decisions that the sessions hold; for a router that learns from them. */
  decisions(): Promise<readonly TicketLog[]>
  request: PlanRequest
  /** Repository path of the configuration. */
  file: string
  backend: BackendWishName
  stateDir: string
  git: Git
  reader: TreeReader
  runs: RunSource
  clock: Clock
  ids: Ids
  signal: AbortSignal
}

/** Everything a phase of training works with: one turn in the ticket's worktree. */
export interface PhaseWork extends PlanWork {
  request: TurnRequest
  say(text: string): void
  /** Returns the absolute path of a file in the ticket's artifacts. */
  artifact(file: string): string
}

/** What a phase came to, or that its signal stopped it where it can go on. */
export type PhaseResult = Pick<TurnResult, 'reason' | 'decisions' | 'trailers'> | 'stopped'

/** Returns the configuration as it lies in the worktree. @throws VT_TRAIN_MISSING, VT_CONFIG */
export async function configOf({ root, file }: Pick<PhaseWork, 'root' | 'file'>): Promise<AnyTrainConfig> {
  const text = await readFile(await resolveInside(root, file), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ValuetrainError('VT_TRAIN_MISSING', `the training configuration ${file} cannot be read (${cause.code})`, {
      kind: 'config',
      hint: 'mend `training.config` in .valuetrain/config.yaml, or write the file',
      cause,
    })
  })
  return parseAnyTrainConfig(text, file)
}

/** Returns the runs of a policy, the last one first: ordered by when they were done, as they recorded it. */
export async function runsOf(runs: RunSource, policy: string): Promise<StoredRun[]> {
  const all = await Promise.all((await listRuns(runs)).map((id) => readRun(runs, id)))
  const doneAt = ({ events }: StoredRun) => String(events.findLast(({ state }) => state === 'done')?.at ?? '')
  return all
    .filter(({ manifest }) => manifest.policy === policy)
    .sort((a, b) => (doneAt(a) < doneAt(b) ? 1 : doneAt(a) > doneAt(b) ? -1 : a.id < b.id ? 1 : -1))
}

/** Writes a paper of the ticket. */
export async function writePaper(work: Pick<PhaseWork, 'artifact'>, file: string, content: string | object): Promise<void> {
  const text = typeof content === 'string' ? content : `${JSON.stringify(content, null, 1)}\n`
  await writeAtomically(work.artifact(file), text)
}

/** Returns a number as people read it. */
export function show(value: number | null): string {
  return value === null ? 'nothing' : String(Number(value.toPrecision(5)))
}
