import { ValuetrainError } from '../core/errors.ts'
import { judgeOffPolicy } from '../training/ope/index.ts'
import { casesOf, type LoggedCase, routerOfRun } from '../training/router/index.ts'
import { checkRoutingConfig, type RoutingConfig } from '../training/router/train/config.ts'
import { openRoutingData, splitCases } from '../training/router/train/data.ts'
import { estimateRouter, fittedValue, tableRows, tellEstimates } from '../training/router/train/measuring.ts'
import { contentOf, evaluationOf, type StoredRun } from '../training/run/index.ts'
import type { Context } from './context.ts'
import { decisionsOf } from './train-router.ts'
import type { TrainingPlace } from './training.ts'

/**
 * Measures a run's router again, on what it was measured on; or with `decisions` estimates what it would have earned on
 * the choices that the sessions hold by now.
 *
 * @throws VT_EVAL_DATA when the table is another one by now, VT_EVAL_FLAKY when scores differ, VT_OPE when the log holds
 *   too little
 */
export async function evaluateRouter(
  context: Context,
  place: TrainingPlace,
  stored: StoredRun,
  { decisions, json }: { decisions: boolean; json: boolean },
): Promise<number> {
  const { model, policy } = await routerOfRun(stored)
  if (decisions) {
    const cases = casesOf(await decisionsOf(place)())
    const { report, logged } = estimateRouter(policy, cases, model, `${stored.id} decisions`)
    const judged = judgeOffPolicy(report, logged)
    const fitted = fittedValue(policy, cases, model, stored.manifest.policySeed)
    const facts = { run: stored.id, on: 'decisions', cases: cases.length, logged, ...report, fitted, ...judged }
    const lines = [
      ...tellEstimates(report),
      `fitted evaluation over whole cases: ${short(fitted)}`,
      `what was logged: ${short(logged)}`,
      ...judged.reasons,
    ]
    print(context, json, facts, `run ${stored.id} on ${cases.length} logged cases: ${judged.verdict}`, lines)
    return judged.verdict === 'pass' ? 0 : 1
  }
  const { inputs } = stored.manifest
  const { environment } = inputs as { environment: { outcomes?: Record<string, unknown>; decisions?: Record<string, unknown> } }
  if (environment.outcomes === undefined) {
    const text = (await contentOf(stored, 'decisions.jsonl'))?.toString('utf8') ?? ''
    const all = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LoggedCase]))
    const { heldOut } = inputs.evaluation as unknown as RoutingConfig['evaluation']
    const { held } = splitCases(all, heldOut)
    const { report } = estimateRouter(policy, held, model, `${stored.id} candidate`)
    requireSame(stored, report.estimates.dr.estimate, stored.verdict.candidate)
    print(
      context,
      json,
      { run: stored.id, same: true, cases: held.length, ...report },
      `run ${stored.id}: the same estimates as recorded`,
      tellEstimates(report),
    )
    return 0
  }
  const { sha256, ...outcomes } = environment.outcomes
  const shape = {
    name: stored.manifest.policy,
    algorithm: inputs.algorithm,
    settings: inputs.settings,
    environment: { outcomes },
    evaluation: inputs.evaluation,
  }
  const config = checkRoutingConfig(shape as Record<string, unknown>, `run ${stored.id}`)
  const data = await openRoutingData(config, place.root, async () => [])
  const now = (data.identity as { outcomes: { sha256: string } }).outcomes.sha256
  if (data.from !== 'table' || now !== sha256) {
    throw new ValuetrainError(
      'VT_EVAL_DATA',
      `${String(outcomes.table)} is not the table that run ${stored.id} was measured on`,
      {
        kind: 'user',
        hint: 'check out the commit of the run, or train again on the table as it is now',
      },
    )
  }
  const rows = tableRows(policy, data.held, data, stored.manifest.policySeed, config.evaluation.seed)
  const recorded = (await evaluationOf(stored)).candidate.filter(({ seed }) => seed === stored.manifest.policySeed)
  const flaky = rows.findIndex((row, index) => row.score !== recorded[index]?.score)
  if (flaky >= 0) requireSame(stored, rows[flaky]?.score ?? null, recorded[flaky]?.score ?? null)
  const mean = rows.reduce((sum, { score }) => sum + score, 0) / rows.length
  print(
    context,
    json,
    { run: stored.id, same: true, episodes: rows.length, mean },
    `run ${stored.id}: ${rows.length} issues, mean reward ${mean}, the same as recorded`,
    [],
  )
  return 0
}

function requireSame(stored: StoredRun, now: number | null, before: number | null): void {
  if (now === before) return
  throw new ValuetrainError('VT_EVAL_FLAKY', `T502 flaky case: run ${stored.id} scored ${now} this time, ${before} before`, {
    kind: 'gate',
    hint: 'the run folder or the engine is not what it was; train it again',
    details: { diagnosis: 'T502' },
  })
}

function print(context: Context, json: boolean, facts: object, head: string, lines: readonly string[]): void {
  context.stdout.write(json ? `${JSON.stringify(facts)}\n` : `${[head, ...lines.map((line) => `  ${line}`)].join('\n')}\n`)
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
