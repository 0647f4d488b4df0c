import { ValuetrainError } from '../../core/errors.ts'
import { resolveCommit } from '../../core/tree.ts'
import { policyInUse } from '../policy/champion.ts'
import { routerInUse } from '../router/in-use.ts'
import { isRouting, routingAttempt } from '../router/train/config.ts'
import { planRouting } from '../router/train/execute.ts'
import { acceleratorFolder, chooseBackends } from '../run/backends.ts'
import { attemptOf } from '../run/config.ts'
import { openJournal, workFolder } from '../run/journal.ts'
import { prepareRun } from '../run/order.ts'
import { planRun, type RunPlan } from '../run/plan.ts'
import { configOf, type PlanWork } from './phase.ts'

/**
 * Returns what the next run would take, as one question, and notes that the run waits for the answer. A configuration
 * that cannot be planned is no question: the turn will say what is wrong with it.
 */
export async function planPhase(work: PlanWork): Promise<string | undefined> {
  try {
    const plan = await planOf(work)
    await noteWaiting(work, plan)
    return questionOf(plan)
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    return undefined
  }
}

async function planOf(work: PlanWork): Promise<RunPlan> {
  const { request, file, reader, runs, root, env, stateDir, clock, decisions } = work
  const written = await configOf(work)
  if (isRouting(written)) {
    const config = routingAttempt(written, request.attempt, file)
    return planRouting({ config, root, decisions, clock, champion: await routerInUse(reader, runs, config.name) })
  }
  const config = attemptOf(written, request.attempt, file)
  const champion = await policyInUse(reader, runs, config.name)
  const backends = await chooseBackends(work.backend, config, [root, acceleratorFolder(stateDir)])
  const given = { champion: champion?.version ?? null, arithmetic: backends.arithmetic }
  const prepared = await prepareRun(config, { root, env, stateDir }, given)
  return planRun(config, prepared, { backends, champion: champion?.run ?? null, clock })
}

/** The run's own log says it, too, so that the folder that comes of it shows that somebody was asked. */
async function noteWaiting({ stateDir, clock, git, file }: PlanWork, { run }: RunPlan): Promise<void> {
  const journal = await openJournal(workFolder(stateDir, run), clock)
  if (journal.state === undefined) {
    await journal.enter('planned', { run, commit: (await resolveCommit(git, 'HEAD')) ?? null, source: file })
  }
  if (journal.state === 'planned') await journal.enter('waiting-approval', { run })
}

function questionOf({
  run,
  policy,
  algorithm,
  environment,
  steps,
  endsEarly,
  seconds,
  usd,
  detects,
  rules,
  seeds,
  episodes,
}: RunPlan): string {
  const learners = seeds.length === 1 ? 'one learner' : `${seeds.length} learners`
  const judged = [...rules.map(({ rule }) => rule), 'better than random', 'better than untrained'].join(', ')
  const points = detects.points.map(
    (each) => `${each.points.toFixed(1)} points where ${Math.round(100 * each.discordant)} % differ`,
  )
  return [
    `Train run ${run} of ${policy}? ${algorithm} on ${environment}, ${learners}`,
    `${endsEarly === null ? '' : 'at most '}${steps} steps, about ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} seconds, $${usd.toFixed(4)}`,
    `its ${episodes} cases can tell ${detects.standardDeviations.toFixed(2)} standard deviations of the score (pass rate: ${points.join(', ')})`,
    `judged by ${judged}`,
  ].join('; ')
}
