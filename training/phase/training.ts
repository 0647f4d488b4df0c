import { resolveCommit } from '../../core/tree.ts'
import { policyInUse } from '../policy/champion.ts'
import { routerInUse } from '../router/in-use.ts'
import { isRouting, type RoutingConfig, routingAttempt } from '../router/train/config.ts'
import { executeRouting } from '../router/train/execute.ts'
import { acceleratorFolder, chooseBackends } from '../run/backends.ts'
import { attemptOf } from '../run/config.ts'
import { executeRun, type RunOutcome } from '../run/execute.ts'
import type { StoredRun } from '../run/folder.ts'
import { configOf, type PhaseResult, type PhaseWork, runsOf, show, writePaper } from './phase.ts'

/** Trains, and leaves the verdict where the phase's gate looks. A rejected run stays in the tree as evidence. */
export async function trainPhase(work: PhaseWork): Promise<PhaseResult> {
  const { request, file, git, reader, runs, root, env, stateDir, clock, signal, say } = work
  const written = await configOf(work)
  if (isRouting(written)) return trainRouterPhase(work, written)
  const config = attemptOf(written, request.attempt, file)
  const champion = await policyInUse(reader, runs, config.name)
  const backends = await chooseBackends(work.backend, config, [root, acceleratorFolder(stateDir)])
  say(`backend ${backends.reason}`)
  const changed = await git.fields(['status', '--porcelain=v1', '-z', '--', ':(top)', ':(top,exclude).valuetrain'])
  const commit = (await resolveCommit(git, 'HEAD')) ?? null
  const outcome = await executeRun({
    config,
    root,
    env,
    stateDir,
    store: runs.store,
    backends,
    champion,
    provenance: { commit, dirty: changed.length > 0, source: file },
    clock,
    signal,
    onProgress: ({ state, seed, steps, totalSteps, returnMean }) => {
      say(
        `${state} seed ${seed}: ${steps} of ${totalSteps} steps${returnMean === undefined ? '' : `, return ${show(returnMean)}`}`,
      )
    },
  })
  if (outcome.state === 'paused') return 'stopped'
  return papersOf(work, config.name, outcome)
}

async function trainRouterPhase(work: PhaseWork, written: RoutingConfig): Promise<PhaseResult> {
  const { request, file, git, reader, runs, root, stateDir, clock, signal, say, decisions } = work
  const config = routingAttempt(written, request.attempt, file)
  const changed = await git.fields(['status', '--porcelain=v1', '-z', '--', ':(top)', ':(top,exclude).valuetrain'])
  const outcome = await executeRouting({
    config,
    root,
    stateDir,
    store: runs.store,
    champion: await routerInUse(reader, runs, config.name),
    provenance: { commit: (await resolveCommit(git, 'HEAD')) ?? null, dirty: changed.length > 0, source: file },
    clock,
    signal,
    onProgress: ({ state, seed, steps, totalSteps }) => say(`${state} seed ${seed}: ${steps} of ${totalSteps} cases`),
    decisions,
  })
  if (outcome.state === 'paused') return 'stopped'
  return papersOf(work, config.name, outcome)
}

async function papersOf(work: PhaseWork, policy: string, outcome: Extract<RunOutcome, { state: 'done' }>): Promise<PhaseResult> {
  const { run, verdict, version } = outcome
  await writePaper(work, 'verdict.json', verdict)
  await writePaper(work, 'training-log.md', trainingLog(await runsOf(work.runs, policy), run))
  return {
    reason: `run ${run} of ${policy}: ${verdict.verdict}`,
    decisions: verdict.reasons,
    trailers: {
      'Valuetrain-Run': run,
      'Valuetrain-Verdict': verdict.verdict,
      'Valuetrain-Artifact': `sha256:${version}`,
    },
  }
}

function trainingLog(stored: readonly StoredRun[], chosen: string): string {
  const lines = stored.map(({ id, manifest, verdict, events }) => {
    const { inputs } = manifest
    const done = events.findLast(({ state }) => state === 'done')
    const commit = events.findLast((event) => typeof event.commit === 'string')?.commit
    return [
      `### Run ${id}: ${verdict.verdict}`,
      '',
      `Trained by ${String(inputs.algorithm)} with seeds ${(inputs.seeds as number[]).join(', ')} from commit ${String(commit ?? 'none').slice(0, 12)}, in ${Math.round(Number(done?.ms ?? 0) / 1000)} seconds for ${Number(done?.usd ?? 0).toFixed(4)} dollars.`,
      `Settings: \`${JSON.stringify(inputs.settings)}\`. Data: \`${JSON.stringify(inputs.data)}\`.`,
      `Mean score ${show(verdict.candidate)} beside ${show(verdict.baseline)} of what it is compared with.`,
      '',
      ...verdict.reasons.map((reason) => `- ${reason}`),
      '',
    ].join('\n')
  })
  return [
    '# Training run log',
    '',
    '## Runs',
    '',
    ...lines,
    '## Chosen',
    '',
    `Run ${chosen} is the last one and goes to evaluation if its verdict is a pass; its policy is that of the first seed, named before training. Earlier runs stay in the tree as evidence.`,
    '',
  ].join('\n')
}
