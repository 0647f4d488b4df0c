/**
 * A run from its plan to its folder. Whatever kills it, the next call with the same order goes on from the last
 * checkpoint and ends with the same bytes.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, sha256 } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { writeAtomically } from '../../core/files.ts'
import type { Fix } from '../errors/catalogue.ts'
import { type Diagnosis, diagnose, diagnosisOf } from '../errors/diagnose.ts'
import { meanScore } from '../evaluate.ts'
import { MODEL_FILE, renderPolicy, WEIGHTS_FILE } from '../policy/model-file.ts'
import { atDesk } from './desk.ts'
import type { EarlyStop } from './early-stop.ts'
import { wasDirty } from './events.ts'
import { writeRunFolder } from './folder.ts'
import { seedsOf } from './identity.ts'
import { type Journal, jsonl, type MetricRow } from './journal.ts'
import { measureRun } from './measuring.ts'
import { type Meter, openMeter } from './meter.ts'
import { type PreparedRun, prepareRun, type RunOrder, RunStopped } from './order.ts'
import { renderReport } from './report.ts'
import { rowsWithin } from './thin.ts'
import { type TrainedPolicy, trainSeed } from './training.ts'
import { judgeRun, type Measured, type RunVerdict, rulesOf } from './verdict.ts'

export type RunOutcome =
  | {
      state: 'done'
      run: string
      /** Repository path of the run's folder. */
      folder: string
      verdict: RunVerdict
      /** Of the policy, by which promotions name it. */
      version: string
      /** False when the folder was there with the same content. */
      written: boolean
      /** Whether the tree had changes that were not committed; such a run promotes nothing. */
      dirty: boolean
      /** Learners that stopped before their end; none where a kind of run has no such thing. */
      stops?: readonly EarlyStop[]
      usd: number
      ms: number
      /** What was noticed while a run that did not pass was trained; its fixes are kept for `--fix`. */
      noticed?: Diagnosis
    }
  | { state: 'paused'; run: string; steps: number }

type FinishedRun = Extract<RunOutcome, { state: 'done' }>

/**
 * Trains, measures, judges and writes the run's folder into the working tree. Nothing is committed.
 *
 * @throws VT_RUN_BUSY when another process works on the same run; VT_RUN_BUDGET; VT_TRAIN_DIVERGED and whatever else a
 *   learner, an environment or the disk throws, after the diagnosis was written down for `--fix`
 */
export async function executeRun(order: RunOrder): Promise<RunOutcome> {
  const { backends } = order
  const given = { champion: order.champion?.version ?? null, arithmetic: backends.arithmetic }
  const prepared = await prepareRun(order.config, order, given)
  const facts = { backend: backends.name, why: backends.reason }
  return atDesk(order, prepared, facts, (journal) => work(order, prepared, journal))
}

async function work(order: RunOrder, prepared: PreparedRun, journal: Journal): Promise<RunOutcome> {
  const meter = openMeter(order, prepared.id, journal)
  if (journal.state === 'done') return finish(order, prepared, journal, meter)
  try {
    await journal.enter('running')
    const trained: TrainedPolicy[] = []
    for (const seed of seedsOf(order.config)) trained.push(await trainSeed(order, prepared, journal, meter, seed))
    await journal.enter('evaluating')
    const measured = await measureRun(order, prepared, trained, meter)
    await keepResult(journal.folder, trained, measured)
    await journal.enter('gating')
    const outcome = await finish(order, prepared, journal, meter)
    const noticed = await noteAnomalies(order, prepared, journal, outcome)
    return { ...outcome, ...(noticed === undefined ? {} : { noticed }) }
  } catch (cause) {
    if (cause instanceof RunStopped) {
      await journal.enter('paused', { steps: cause.steps })
      return { state: 'paused', run: prepared.id, steps: cause.steps }
    }
    throw await noteFailure(order, prepared, journal, cause)
  }
}

/** What the folder is made from, kept so that a run that is done can be written into another working tree as well. */
interface Result {
  policy: { seed: number; weights: string; model: string }
  measured: Measured
  rows: MetricRow[]
  /** Learners that stopped before their end; missing in results of before there were such. */
  stops?: EarlyStop[]
}

async function keepResult(folder: string, trained: readonly TrainedPolicy[], measured: Measured): Promise<void> {
  // The first learner's policy, whatever the scores are: choosing the best of several seeds would flatter it.
  const { seed, model: policy } = trained[0] as TrainedPolicy
  const { weights, model } = renderPolicy(policy)
  const result: Result = {
    policy: { seed, weights: Buffer.from(weights).toString('base64'), model },
    measured,
    rows: trained.flatMap(({ rows }) => rows),
    stops: trained.flatMap(({ stopped }) => stopped ?? []),
  }
  const text = JSON.stringify(result)
  await writeAtomically(join(folder, 'result.json'), `${JSON.stringify({ ...result, digest: digestOf(JSON.parse(text)) })}\n`)
}

/** @throws VT_RUN_ALTERED when it is gone or not what was kept */
async function readResult(folder: string, run: string): Promise<Result> {
  const file = join(folder, 'result.json')
  try {
    const { digest, ...result } = JSON.parse(await readFile(file, 'utf8')) as Result & { digest: string }
    if (digestOf(result as never) !== digest) throw new Error('it was changed after it was written')
    return result
  } catch (cause) {
    throw new ValuetrainError('VT_RUN_ALTERED', `what run ${run} came to is not as it was kept in ${file}`, {
      kind: 'environment',
      hint: `move the folder ${folder} away and train the same again; it comes to the same bytes`,
      cause,
    })
  }
}

async function finish(
  order: RunOrder,
  { id, hash, inputs, problem }: PreparedRun,
  journal: Journal,
  meter: Meter,
): Promise<FinishedRun> {
  const { config, champion } = order
  const { spec } = problem
  const { policy, measured, rows, stops = [] } = await readResult(journal.folder, id)
  const rules = rulesOf(config, spec, champion !== undefined)
  const verdict = judgeRun(id, measured, rules)
  if (journal.state === 'gating') await journal.enter('committing', { verdict: verdict.verdict })
  if (journal.state === 'committing')
    await journal.enter('done', { verdict: verdict.verdict, ms: Math.round(meter.ms()), usd: meter.usd() })
  const kept = rowsWithin(rows)
  const seeds = seedsOf(config).map((seed) => ({
    seed,
    mean: meanScore(measured.candidate.filter((row) => row.seed === seed)),
    ...stoppedOf(stops, seed),
  }))
  const version = sha256(policy.model)
  const facts = { run: id, config, spec, verdict, rows: kept, seeds, stops, policySeed: policy.seed, policyVersion: version }
  const { episodes, seed, greedy } = config.evaluation
  const suite = { environment: spec.id, episodes, seed, greedy }
  const files = new Map<string, string | Uint8Array>([
    ['metrics.jsonl', jsonl(kept)],
    ['eval.json', pretty({ schema: 1, run: id, suite, means: verdict.means, seeds, ...measured })],
    ['verdict.json', pretty({ ...verdict, configured: rules })],
    ['REPORT.md', renderReport({ ...facts, champion: champion?.version ?? null })],
    [WEIGHTS_FILE, Buffer.from(policy.weights, 'base64')],
    [MODEL_FILE, policy.model],
  ])
  const { folder, written } = await writeRunFolder(
    order.root,
    {
      run: id,
      hash,
      policy: config.name,
      version,
      policySeed: policy.seed,
      inputs: inputs as never,
      metrics: { measured: rows.length, kept: kept.length },
    },
    files,
    journal.events,
    order.store,
  )
  const dirty = wasDirty(journal) !== false
  return { state: 'done', run: id, folder, verdict, version, written, dirty, stops, usd: meter.usd(), ms: meter.ms() }
}

/** What `eval.json` says of a learner that stopped before its end; nothing of one that did not. */
function stoppedOf(stops: readonly EarlyStop[], seed: number): { stopped?: { steps: number; reason: string } } {
  const stop = stops.find((one) => one.seed === seed)
  return stop === undefined ? {} : { stopped: { steps: stop.steps, reason: stop.reason } }
}

/**
 * Writes down what was odd about a run that did not pass, where `train --fix` finds it. A run that came to its end is
 * past what failed before: that is no longer there to be fixed.
 */
async function noteAnomalies(
  order: RunOrder,
  { id }: PreparedRun,
  journal: Journal,
  { verdict }: FinishedRun,
): Promise<Diagnosis | undefined> {
  const file = diagnosisFile(order.stateDir, order.config.name)
  const rows = journal.events.filter(({ type }) => type === 'anomaly')
  const code = verdict.verdict === 'pass' ? undefined : rows.map((row) => String(row.code)).sort()[0]
  const evidence = rows.filter((row) => row.code === code).map((row) => `seed ${row.seed}, step ${row.steps}: ${row.evidence}`)
  const noticed = code === undefined ? undefined : diagnosisOf(code, order.config, evidence)
  if (noticed === undefined) await rm(file, { force: true })
  else await writeAtomically(file, pretty({ run: id, source: order.provenance.source, ...noticed }))
  return noticed
}

/** Writes down what went wrong and how to mend it, where `train --fix` finds it; returns the error for people. */
async function noteFailure(order: RunOrder, { id }: PreparedRun, journal: Journal, cause: unknown): Promise<unknown> {
  const rows = journal.events.filter(({ type }) => type === 'anomaly')
  const diagnosis = diagnose(cause, order.config, rows)
  const state = (cause as { code?: string }).code === 'VT_RUN_BUDGET' ? 'budget-exceeded' : 'failed'
  const facts = { code: diagnosis?.code ?? (cause as { code?: string }).code ?? 'unknown' }
  // A disk that is full can hold no note either; the failure itself is what has to be told.
  await journal.enter(state, facts).catch(() => {})
  if (diagnosis === undefined) return cause
  await writeAtomically(
    diagnosisFile(order.stateDir, order.config.name),
    pretty({ run: id, source: order.provenance.source, ...diagnosis }),
  ).catch(() => {})
  const error = cause as ValuetrainError
  return new ValuetrainError(error.code as `VT_${string}`, `${diagnosis.code} ${diagnosis.title}: ${error.message}`, {
    kind: error.kind,
    hint: hintOf(diagnosis, order.provenance.source) ?? error.hint ?? diagnosis.cause,
    details: { ...error.details, run: id, diagnosis: diagnosis.code },
    cause,
  })
}

/** `--fix` is named only where one of the fixes is a change of the file. */
function hintOf({ fixes: [best, ...others] }: Diagnosis, source: string): string | undefined {
  if (best === undefined) return undefined
  const patches = ({ patch }: Fix) => Object.keys(patch).length > 0
  const command = `\`valuetrain train ${source} --fix\``
  if (patches(best)) return `${best.does}: ${command}`
  const other = others.find(patches)
  return other === undefined ? best.does : `${best.does}; or ${other.does}: ${command}`
}

/** Returns where the last failure of a policy's training is written down. */
export function diagnosisFile(stateDir: string, name: string): string {
  return join(stateDir, 'training', `diagnosis-${name}.json`)
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`
}
