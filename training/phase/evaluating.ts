import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import { evaluateRandom } from '../evaluate.ts'
import { policyInUse } from '../policy/champion.ts'
import { refusalOf } from '../policy/promotable.ts'
import { foldAlias, promote, promotionFile, readPromotions, renderPromotion } from '../policy/promotions.ts'
import { routerInUse, routerOfRun } from '../router/in-use.ts'
import { type AnyTrainConfig, isRouting, type RoutingConfig } from '../router/train/config.ts'
import { openRoutingData, type RoutingData } from '../router/train/data.ts'
import { measureRouting } from '../router/train/measuring.ts'
import type { TrainConfig } from '../run/config.ts'
import { policyOfRun, readRun, type StoredRun } from '../run/folder.ts'
import { measurePolicy } from '../run/measuring.ts'
import type { Champion } from '../run/order.ts'
import { openProblem } from '../run/problem.ts'
import { judgeRun, type RunVerdict, rulesOf } from '../run/verdict.ts'
import { configOf, type PhaseResult, type PhaseWork, runsOf, show, writePaper } from './phase.ts'

/**
 * Apart from the seeds of training and of the run's own verdict: what is judged here was never looked at before. The
 * same for every attempt, so that asking again cannot change the answer.
 */
const FRESH = { validation: 2_000_003, evaluation: 3_000_017 } as const

/**
 * Measures the last run on episodes nobody has used, beside the champion or what was champion before, and writes what
 * the phase asks for. The phase `validation` promotes what passes; every other one only reports.
 */
export async function evaluatePhase(work: PhaseWork): Promise<PhaseResult> {
  const { request, reader, runs } = work
  const config = await configOf(work)
  const { name: policy } = config
  const isValidation = request.phase === 'validation'
  const { current, previous } = foldAlias(await readPromotions(reader, policy), policy, 'champion')
  const stored = isValidation || current === undefined ? await lastRun(work, policy) : await readRun(runs, current.run)
  const judged = isRouting(config)
    ? await judgeRouter(work, config, stored, previous?.run)
    : await judgePolicy(work, config, stored, previous?.run, isValidation ? FRESH.validation : FRESH.evaluation)
  if (work.signal.aborted) return 'stopped'
  const { verdict } = judged
  await writeResults(work, config, stored, judged)
  const passed = isValidation && verdict.verdict === 'pass'
  const refusal = passed ? refusalOf(stored) : undefined
  if (passed && refusal === undefined) await promoteRun(work, policy, stored)
  const outcome = !passed ? '' : refusal === undefined ? '; promoted to champion' : `; not promoted: ${refusal.message}`
  return {
    reason: `run ${stored.id} on ${judged.what}: ${verdict.verdict}${outcome}`,
    decisions: verdict.reasons,
    trailers: {
      'Valuetrain-Run': stored.id,
      'Valuetrain-Verdict': verdict.verdict,
      'Valuetrain-Artifact': `sha256:${stored.manifest.version}`,
    },
  }
}

/** A verdict on cases that nobody has used, with what the papers say about it. */
interface Judged {
  verdict: RunVerdict
  /** Run it was held against. */
  rival: string | undefined
  /** What it was measured on, in a few words. */
  what: string
  /** The same, so that it can be had again. */
  suite: string
  cases: number
  repeat: string
}

async function judgePolicy(
  work: PhaseWork,
  config: TrainConfig,
  stored: StoredRun,
  previous: string | undefined,
  fresh: number,
): Promise<Judged> {
  const rival = await rivalOf(work, config.name, stored, previous)
  const { episodes } = config.evaluation
  const seed = config.evaluation.seed + fresh
  return {
    verdict: await judgeFresh(work, config, stored, rival, fresh),
    rival: rival?.run,
    what: 'fresh episodes',
    suite: `${episodes} episodes of ${JSON.stringify(config.environment)}, seed ${seed}`,
    cases: episodes,
    repeat: `valuetrain eval ${stored.id} --seed ${seed} --episodes ${episodes}`,
  }
}

/** A router is judged on the half of the held-out cases that its training was not judged on. */
async function judgeRouter(
  work: PhaseWork,
  config: RoutingConfig,
  stored: StoredRun,
  previous: string | undefined,
): Promise<Judged> {
  const { reader, runs, root, decisions } = work
  const champion = await routerInUse(reader, runs, config.name)
  const before = previous === undefined || previous === stored.id ? undefined : await readRun(runs, previous)
  const rival =
    champion !== undefined && champion.run !== stored.id
      ? champion
      : before && { run: before.id, version: before.manifest.version, policy: (await routerOfRun(before)).policy }
  const data = await openRoutingData(config, root, decisions)
  const fresh = { ...data, held: data.fresh } as RoutingData
  work.say(`measuring run ${stored.id} on ${data.fresh.length} cases nobody has used`)
  const learned = [{ seed: stored.manifest.policySeed, policy: (await routerOfRun(stored)).policy }]
  const { verdict } = measureRouting({ run: stored.id, config, data: fresh, learned, champion: rival })
  return {
    verdict,
    rival: rival?.run,
    what: 'fresh cases',
    suite: `${data.fresh.length} held-out cases of ${data.about}`,
    cases: data.fresh.length,
    repeat: `valuetrain eval ${stored.id}`,
  }
}

async function lastRun({ runs }: PhaseWork, policy: string): Promise<StoredRun> {
  const [last] = await runsOf(runs, policy)
  if (last !== undefined) return last
  throw new ValuetrainError('VT_RUN_UNKNOWN', `there is no run of ${policy} to evaluate`, {
    hint: 'the phase of training commits one; work that first',
  })
}

/** What a run is held against: the champion, or where it is that itself, the champion before. */
async function rivalOf(
  { reader, runs }: PhaseWork,
  policy: string,
  stored: StoredRun,
  previous: string | undefined,
): Promise<Champion | undefined> {
  const champion = await policyInUse(reader, runs, policy)
  if (champion !== undefined && champion.run !== stored.id) return champion
  if (previous === undefined || previous === stored.id) return undefined
  const before = await readRun(runs, previous)
  return { run: before.id, version: before.manifest.version, model: await policyOfRun(before) }
}

async function judgeFresh(
  work: PhaseWork,
  written: TrainConfig,
  stored: StoredRun,
  rival: Champion | undefined,
  fresh: number,
): Promise<RunVerdict> {
  const config = { ...written, evaluation: { ...written.evaluation, seed: written.evaluation.seed + fresh } }
  const problem = await openProblem(config, work)
  work.say(`measuring run ${stored.id} on ${config.evaluation.episodes} episodes nobody has used`)
  const { episodes, seed } = config.evaluation
  const candidate = await measurePolicy(await policyOfRun(stored), config, problem, stored.manifest.policySeed)
  const champion = rival === undefined ? undefined : await measurePolicy(rival.model, config, problem, 0)
  const random = (await evaluateRandom({ open: problem.open, episodes, seed })).map((row) => ({ ...row, seed: 0 }))
  // One policy is measured here: rules over several learners were judged where they were trained.
  const rules = rulesOf({ rules: config.rules, seeds: 1 }, problem.spec, rival !== undefined).filter(
    ({ rule }) => rule !== 'seeds',
  )
  const measured = { candidate, untrained: random, random, ...(champion === undefined ? {} : { champion }) }
  const verdict = judgeRun(stored.id, measured, rules)
  const reasons = verdict.reasons.filter((reason) => !reason.includes('the untrained policy'))
  return { ...verdict, means: { ...verdict.means, untrained: null }, baselines: verdict.baselines.slice(0, 1), reasons }
}

/** Writes the record into the tree, once: a turn that is worked again finds it there. */
async function promoteRun(work: PhaseWork, policy: string, stored: StoredRun): Promise<void> {
  const { reader, root, ids, request } = work
  const records = await readPromotions(reader, policy)
  const { version } = stored.manifest
  if (foldAlias(records, policy, 'champion').current?.version === version) return
  const wanted = {
    id: ids.ulid(),
    policy,
    alias: 'champion' as const,
    run: stored.id,
    version,
    verdict: 'pass' as const,
    by: request.ticket,
    reason: `passed the fresh episodes of ${request.ticket}`,
  }
  // Validated just now, so a run that was archived may come back.
  const record = promote(records, wanted, { isFresh: true })
  await writeAtomically(await resolveInside(root, promotionFile(record)), renderPromotion(record))
}

async function writeResults(work: PhaseWork, config: AnyTrainConfig, stored: StoredRun, judged: Judged): Promise<void> {
  const { verdict, rival, suite, repeat } = judged
  const { candidate, baseline } = verdict
  const against = rival === undefined ? 'random actions' : `run ${rival}`
  const spread = verdict.rules.find(({ interval }) => interval !== undefined)?.interval
  await writePaper(work, 'verdict.json', verdict)
  await writePaper(work, 'eval-results.json', {
    candidate,
    baseline,
    run: stored.id,
    against: rival ?? null,
    episodes: judged.cases,
  })
  await writePaper(
    work,
    'eval-results.md',
    `# Evaluation results

## What was measured

Run ${stored.id} of policy ${config.name}, version ${stored.manifest.version.slice(0, 12)}, on ${suite}. No learner was trained on these and no verdict was given on them before. Repeat it with \`${repeat}\`.

## Results

Mean score ${show(candidate)}, beside ${show(baseline)} of ${against}.${spread === undefined ? '' : ` The interval of the first rule goes from ${show(spread.low)} to ${show(spread.high)}.`}

${verdict.reasons.map((reason) => `- ${reason}`).join('\n')}

## Slices

Every episode is one case of the same problem; there are no groups to look at apart from one another.

## Doubts

${verdict.faults} of ${verdict.rollouts} rollouts died of infrastructure and count for nothing. ${stored.manifest.policySeed === config.seed ? 'The policy is that of the seed named before training.' : 'The policy is not that of the first seed of the present configuration.'}
`,
  )
  await writePaper(
    work,
    'validation-report.md',
    `# Validation report

## Verdict

${verdict.verdict === 'pass' ? 'Deliver' : 'Build again'}: run ${stored.id} was judged "${verdict.verdict}" on episodes that nobody had used before.

## What carries it

${verdict.reasons.map((reason) => `- ${reason} (eval-results.json and verdict.json beside this report)`).join('\n')}

## Risks

What the suite does not hold was not measured: other starts of an episode, other loads, a problem that changes. The one who merges this accepts that.

## What would change it

A lower bound on the other side of its limit when the same command is run on another seed, or a run folder that \`valuetrain runs show ${stored.id}\` refuses.
`,
  )
  await writePaper(
    work,
    'champion-log.md',
    `# Champion log

## Contest

Run ${stored.id} (version ${stored.manifest.version.slice(0, 12)}, mean ${show(candidate)}) against ${against} (mean ${show(baseline)}), on ${suite}.

## Outcome

${verdict.verdict === 'pass' ? `Run ${stored.id} holds its place` : `Run ${stored.id} does not hold its place`} in ${work.request.ticket}; the records under .valuetrain/policies/${config.name}/promotions say what is in use, and the other run stays in the history, from where a rollback takes it back.
`,
  )
}
