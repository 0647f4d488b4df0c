import { foldAlias, readPromotions } from '../policy/promotions.ts'
import type { StoredRun } from '../run/folder.ts'
import { configOf, type PhaseResult, type PhaseWork, runsOf, show, writePaper } from './phase.ts'

/** Writes what follows from the runs: what to try next, and when and against whom to train again. */
export async function improvePhase(work: PhaseWork): Promise<PhaseResult> {
  const config = await configOf(work)
  const stored = await runsOf(work.runs, config.name)
  const { current } = foldAlias(await readPromotions(work.reader, config.name), config.name, 'champion')
  const champion = stored.find(({ id }) => id === current?.run)
  const rejected = stored.filter(({ verdict }) => verdict.verdict !== 'pass')
  if (work.request.phase === 'retraining') {
    await writePaper(work, 'retraining-plan.md', retrainingPlan(work, config, champion))
    return { reason: `retraining of ${config.name} is planned against ${champion?.id ?? 'random actions'}` }
  }
  await writePaper(work, 'improvement-roadmap.md', roadmap(config.name, champion, rejected))
  await writePaper(work, 'next-tickets.md', nextTickets(config.name, champion, rejected))
  return { reason: `${stored.length} runs of ${config.name} looked at, ${rejected.length} of them rejected` }
}

function retrainingPlan(
  { file }: PhaseWork,
  config: Awaited<ReturnType<typeof configOf>>,
  champion: StoredRun | undefined,
): string {
  const limits = 'limits' in config ? config.limits : { minutes: null, usd: null }
  const data = 'data' in config ? config.data : [JSON.stringify(config.environment)]
  return `# Retraining plan

## Trigger

The champion's mean score on fresh episodes falls below the bound it was promoted with${champion === undefined ? '' : ` (${champion.verdict.reasons[0] ?? ''})`}, or the server of the policy breaches one of its limits and opens an issue.

## Data

The configuration ${file} with data ${data.length === 0 ? 'none: the environment makes its episodes' : data.join(', ')}; evaluation keeps its own episodes, which no learner sees.

## Contest

Against ${champion === undefined ? 'random actions, as nothing is champion yet' : `run ${champion.id} with a mean of ${show(champion.verdict.candidate)}`}, on the same episodes, by the rules of the run: superiority has to be shown, being equal is not enough.

## Limits

${limits.minutes === null ? 'No limit of time is set' : `At most ${limits.minutes} minutes`}, ${limits.usd === null ? 'no limit of money is set' : `at most ${limits.usd} dollars`}. A rejected run is committed as evidence and promotes nothing; whoever owns the ticket stops it.
`
}

function roadmap(policy: string, champion: StoredRun | undefined, rejected: readonly StoredRun[]): string {
  const findings = rejected.map(({ id, verdict }) => `- Run ${id} was judged "${verdict.verdict}": ${verdict.reasons.join('; ')}`)
  return `# Improvement roadmap

## Next

${findings.length === 0 ? `- Every run of ${policy} so far passed; a harder suite or a cheaper policy is what is left to win.` : findings.join('\n')}

## Later

- ${champion === undefined ? `Nothing is champion of ${policy} yet: a run has to pass and be promoted.` : `Hold champion ${champion.id} (mean ${show(champion.verdict.candidate)}) against a run with more learners, so that its interval gets narrower.`}

## Dropped

- Choosing the best of several seeds: it flatters the policy and does not repeat.
`
}

function nextTickets(policy: string, champion: StoredRun | undefined, rejected: readonly StoredRun[]): string {
  const [last] = rejected
  const first =
    last === undefined
      ? `Widen the suite of ${policy}: more episodes, until a difference of half a standard deviation is found.`
      : `Retrain ${policy} after run ${last.id}: change one setting, as its diagnosis says, and keep the rest.`
  const second =
    champion === undefined
      ? `Promote a first champion of ${policy}.`
      : `Watch run ${champion.id} in service with limits for latency, errors and score.`
  return `# Next tickets\n\n1. ${first}\n2. ${second}\n`
}
