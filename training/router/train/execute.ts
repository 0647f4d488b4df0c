/**
 * A router's run from its plan to its folder, like every other run: a pure function of its inputs, resumed from its
 * checkpoints with the same bytes, committed by whoever asked for it.
 */
import type { Clock } from '../../../core/clock.ts'
import { KERNEL_DIGEST } from '../../backend/kernels.generated.ts'
import { MODEL_FILE, WEIGHTS_FILE } from '../../policy/model-file.ts'
import type { ArtifactStore } from '../../run/artifact.ts'
import { atDesk } from '../../run/desk.ts'
import { wasDirty } from '../../run/events.ts'
import type { RunOutcome } from '../../run/execute.ts'
import { TRAINING_FOLDER, writeRunFolder } from '../../run/folder.ts'
import { ENGINE_VERSION, RUN_DIGITS, type RunInputs, runHash, seedsOf } from '../../run/identity.ts'
import { type Journal, jsonl, type Listener, type MetricRow } from '../../run/journal.ts'
import { type Progress, type Provenance, RunStopped } from '../../run/order.ts'
import type { RunPlan } from '../../run/plan.ts'
import { keptRows } from '../../run/thin.ts'
import { detectableDifference, detectableMeanDifference } from '../../stats/index.ts'
import type { RouterInUse } from '../deciding.ts'
import type { TicketLog } from '../log.ts'
import { type RouterModel, renderRouter } from '../model-file.ts'
import type { RouterPolicy } from '../policy.ts'
import type { RoutingConfig } from './config.ts'
import { openRoutingData, type RoutingData } from './data.ts'
import { openRoutingLearner } from './learning.ts'
import { measureRouting } from './measuring.ts'
import { renderRoutingReport } from './report.ts'

/** Everything a router's run is given. */
export interface RoutingOrder {
  config: RoutingConfig
  /** Absolute; the working tree. */
  root: string
  stateDir: string
  champion: RouterInUse | undefined
  provenance: Provenance
  clock: Clock
  /** Stops the run at a checkpoint, from which it can go on. */
  signal: AbortSignal
  onProgress: (progress: Progress) => void
  onEvent?: Listener
  /** The run that is to go on, where one was named. */
  resumes?: string | undefined
  /** The decisions that the sessions in git hold; called for a configuration that learns from them. */
  decisions: () => Promise<readonly TicketLog[]>
  /** Keeps what is too large for the tree. */
  store?: ArtifactStore | undefined
}

interface Prepared {
  id: string
  hash: string
  inputs: RunInputs
  data: RoutingData
}

/** Checkpoints a learner makes on its way. */
const CHECKPOINTS = 10

/**
 * Trains, measures, judges and writes the run's folder into the working tree. Nothing is committed.
 *
 * @throws VT_RUN_BUSY when another process works on the same run; VT_TABLE, VT_ROUTER_DATA, VT_OPE for data that cannot
 *   be learned from or judged by
 */
export async function executeRouting(order: RoutingOrder): Promise<RunOutcome> {
  const prepared = await prepareRouting(order)
  return atDesk(order, prepared, { backend: 'none' }, (journal) => work(order, prepared, journal))
}

/** Returns what a run would do; its data is read, nothing is learned. */
export async function planRouting(
  order: Pick<RoutingOrder, 'config' | 'root' | 'champion' | 'decisions' | 'clock'>,
): Promise<RunPlan> {
  const { id, data } = await prepareRouting(order)
  const { config, champion, clock } = order
  const steps = data.learn.length * config.seeds
  const rate = rateOf(data, config.seed, clock)
  return {
    run: id,
    policy: config.name,
    algorithm: config.algorithm,
    environment: data.about,
    backend: 'none: routers are learned case by case',
    seeds: seedsOf(config),
    steps,
    endsEarly: null,
    stepsPerSecond: Math.round(rate),
    seconds: steps / rate,
    usd: 0,
    episodes: data.held.length * config.seeds,
    rules: config.rules ?? (champion === undefined ? [] : [{ rule: 'superiority' }]),
    champion: champion?.run ?? null,
    detects: {
      standardDeviations: detectableMeanDifference(data.held.length, 1),
      points: [0.05, 0.1, 0.2, 0.3].map((discordant) => ({
        discordant,
        points: 100 * detectableDifference(data.held.length, discordant),
      })),
    },
    writes: ['run.yaml', 'metrics.jsonl', 'events.jsonl', 'eval.json', 'verdict.json', 'REPORT.md', MODEL_FILE].map(
      (name) => `${TRAINING_FOLDER}/${id}/${name}`,
    ),
  }
}

function rateOf(data: RoutingData, seed: number, clock: Clock): number {
  const learner = openRoutingLearner(data, seed)
  if (data.spec.kind === 'clone' || data.spec.kind === 'cql') return data.learn.length
  const began = clock.monotonic()
  do learner.step()
  while (learner.steps < Math.min(50, learner.totalSteps))
  return (1000 * learner.steps) / Math.max(1, clock.monotonic() - began)
}

async function prepareRouting({
  config,
  root,
  champion,
  decisions,
}: Pick<RoutingOrder, 'config' | 'root' | 'champion' | 'decisions'>): Promise<Prepared> {
  const data = await openRoutingData(config, root, decisions)
  const inputs: RunInputs = {
    engine: ENGINE_VERSION,
    kernels: KERNEL_DIGEST,
    arithmetic: 'exact',
    policy: config.name,
    algorithm: config.algorithm,
    settings: config.settings,
    environment: data.identity,
    evaluation: config.evaluation as never,
    rules: config.rules,
    seeds: seedsOf(config),
    data: {},
    champion: champion?.version ?? null,
  }
  const hash = runHash(inputs)
  return { id: hash.slice(0, RUN_DIGITS), hash, inputs, data }
}

async function work(order: RoutingOrder, prepared: Prepared, journal: Journal): Promise<RunOutcome> {
  const { config, clock } = order
  const began = clock.monotonic()
  const isDone = journal.state === 'done'
  try {
    if (!isDone) await journal.enter('running')
    const learned: { seed: number; policy: RouterPolicy; model: RouterModel; rows: MetricRow[] }[] = []
    for (const seed of seedsOf(config)) learned.push(await learn(order, prepared, journal, seed))
    if (!isDone) await journal.enter('evaluating')
    const result = measureRouting({ run: prepared.id, config, data: prepared.data, learned, champion: order.champion })
    const { verdict } = result.verdict
    if (!isDone) {
      await journal.enter('gating')
      await journal.enter('committing', { verdict })
      await journal.enter('done', { verdict, ms: Math.round(clock.monotonic() - began), usd: 0 })
    }
    const written = await writeFolder(order, prepared, journal, learned, result)
    const dirty = wasDirty(journal) !== false
    return { state: 'done', run: prepared.id, ...written, dirty, verdict: result.verdict, usd: 0, ms: clock.monotonic() - began }
  } catch (cause) {
    if (cause instanceof RunStopped) {
      if (!isDone) await journal.enter('paused', { steps: cause.steps })
      return { state: 'paused', run: prepared.id, steps: cause.steps }
    }
    if (!isDone) await journal.enter('failed', { code: (cause as { code?: string }).code ?? 'unknown' }).catch(() => {})
    throw cause
  }
}

async function learn(
  { config, signal, clock, onProgress }: RoutingOrder,
  { id, data }: Prepared,
  journal: Journal,
  seed: number,
) {
  const learner = openRoutingLearner(data, seed)
  const saved = await journal.load(seed, (state) => learner.restore(state))
  const rows = saved?.rows ?? []
  const every = Math.max(1, Math.ceil(learner.totalSteps / CHECKPOINTS))
  let [unsaved, savedAt] = [[] as MetricRow[], learner.steps]
  const [began, first] = [clock.monotonic(), learner.steps]
  const tell = (returnMean?: number) => {
    const rate = (1000 * (learner.steps - first)) / Math.max(1, clock.monotonic() - began)
    const steps = seedsOf(config).indexOf(seed) * learner.totalSteps + learner.steps
    const totalSteps = config.seeds * learner.totalSteps
    onProgress({
      run: id,
      state: 'running',
      seed,
      steps,
      totalSteps,
      stepsPerSecond: rate,
      etaMs: rate > 0 ? (1000 * (totalSteps - steps)) / rate : undefined,
      usd: 0,
      returnMean,
    })
  }
  tell()
  while (learner.steps < learner.totalSteps) {
    const metrics = learner.step()
    const row = { seed, steps: learner.steps, metrics }
    rows.push(row)
    unsaved.push(row)
    const isDone = learner.steps === learner.totalSteps
    if (!isDone && !signal.aborted && learner.steps - savedAt < every) continue
    await journal.save(seed, learner.state(), unsaved, undefined)
    ;[unsaved, savedAt] = [[], learner.steps]
    tell(metrics.return_mean)
    if (signal.aborted && !isDone) throw new RunStopped(learner.steps)
  }
  return { seed, policy: learner.policy(), model: learner.model(), rows }
}

async function writeFolder(
  order: RoutingOrder,
  { id, hash, inputs, data }: Prepared,
  journal: Journal,
  learned: readonly { seed: number; model: RouterModel; rows: MetricRow[] }[],
  result: ReturnType<typeof measureRouting>,
): Promise<{ folder: string; version: string; written: boolean }> {
  const { config, champion } = order
  // The first learner's router, whatever the scores are: choosing the best of several seeds would flatter it.
  const { seed, model } = learned[0] as (typeof learned)[number]
  const router = renderRouter(model)
  const rows = learned.flatMap((one) => one.rows)
  const kept = keptRows(rows)
  const { verdict, evaluation, seeds } = result
  const report = {
    run: id,
    config,
    data,
    result,
    model,
    version: router.version,
    champion: champion?.version ?? null,
    rows: kept,
  }
  const files = new Map<string, string | Uint8Array>([
    ['metrics.jsonl', jsonl(kept)],
    [
      'eval.json',
      pretty({
        schema: 1,
        run: id,
        suite: { ...(inputs.environment as object), ...config.evaluation },
        means: verdict.means,
        seeds,
        ...evaluation,
      }),
    ],
    ['verdict.json', pretty({ ...verdict, configured: config.rules })],
    ['REPORT.md', renderRoutingReport(report)],
    [MODEL_FILE, router.model],
    ...(router.weights === undefined ? [] : [[WEIGHTS_FILE, router.weights] as const]),
    // Sessions grow and may be redacted; what was learned from stays with the run.
    ...(data.from === 'log' ? [['decisions.jsonl', jsonl(data.all)] as const] : []),
  ])
  const { folder, written } = await writeRunFolder(
    order.root,
    {
      run: id,
      hash,
      policy: config.name,
      version: router.version,
      policySeed: seed,
      inputs: inputs as never,
      metrics: { measured: rows.length, kept: kept.length },
    },
    files,
    journal.events,
    order.store,
  )
  return { folder, version: router.version, written }
}

function pretty(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`
}
