import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import { evaluateRandom } from '../evaluate.ts'
import { policyInUse } from '../policy/champion.ts'
import { foldAlias, promote, promotionFile, readPromotions, renderPromotion } from '../policy/promotions.ts'
import type { TrainConfig } from '../run/config.ts'
import { policyOfRun, readRun, type StoredRun, wasDirty } from '../run/folder.ts'
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
  const rival = await rivalOf(work, policy, stored, previous?.run)
  const fresh = isValidation ? FRESH.validation : FRESH.evaluation
  const verdict = await judgeFresh(work, config, stored, rival, fresh)
  if (work.signal.aborted) return 'stopped'
  await writeResults(work, config, { stored, rival, verdict, fresh })
  const promoted = isValidation && verdict.verdict === 'pass' ? await promoteRun(work, policy, stored) : undefined
  return {
    reason: `run ${stored.id} on fresh episodes: ${verdict.verdict}${promoted === undefined ? '' : '; promoted to champion'}`,
    decisions: verdict.reasons,
    trailers: {
      'Valuetrain-Run': stored.id,
      'Valuetrain-Verdict': verdict.verdict,
      'Valuetrain-Artifact': `sha256:${stored.manifest.version}`,
    },
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
async function promoteRun(work: PhaseWork, policy: string, stored: StoredRun): Promise<string | undefined> {
  const { reader, root, ids, request } = work
  if (wasDirty(stored) !== false || stored.verdict.verdict !== 'pass') return undefined
  const records = await readPromotions(reader, policy)
  const { version } = stored.manifest
  if (foldAlias(records, policy, 'champion').current?.version === version) return stored.id
  const record = promote(records, {
    id: ids.ulid(),
    policy,
    alias: 'champion',
    run: stored.id,
    version,
    verdict: 'pass',
    by: request.ticket,
    reason: `passed the fresh episodes of ${request.ticket}`,
  })
  await writeAtomically(await resolveInside(root, promotionFile(record)), renderPromotion(record))
  return stored.id
}

async function writeResults(
  work: PhaseWork,
  config: TrainConfig,
  { stored, rival, verdict, fresh }: { stored: StoredRun; rival: Champion | undefined; verdict: RunVerdict; fresh: number },
): Promise<void> {
  const { candidate, baseline } = verdict
  const against = rival === undefined ? 'random actions' : `run ${rival.run}`
  const suite = `${config.evaluation.episodes} episodes of ${JSON.stringify(config.environment)}, seed ${config.evaluation.seed + fresh}`
  const spread = verdict.rules.find(({ interval }) => interval !== undefined)?.interval
  await writePaper(work, 'verdict.json', verdict)
  await writePaper(work, 'eval-results.json', {
    candidate,
    baseline,
    run: stored.id,
    against: rival?.run ?? null,
    episodes: config.evaluation.episodes,
  })
  await writePaper(
    work,
    'eval-results.md',
    `# Evaluation results

## What was measured

Run ${stored.id} of policy ${config.name}, version ${stored.manifest.version.slice(0, 12)}, on ${suite}. No learner was trained on these episodes and no verdict was given on them before. Repeat it with \`valuetrain eval ${stored.id} --seed ${config.evaluation.seed + fresh} --episodes ${config.evaluation.episodes}\`.

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
