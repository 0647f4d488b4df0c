import { branchOf } from '../core/contracts/names.ts'
import { phaseGates } from './definitions.ts'
import { readyIssues } from './drive.ts'
import { nextTicket, type Wanted } from './next.ts'
import { asPhase } from './opening.ts'
import type { Ports } from './ports.ts'
import { isRouted, routedLabels } from './route.ts'

/** What a run would do and why; nothing is changed to find out. */
export interface RunPlan {
  issue: number
  title: string
  ticket: string | undefined
  branch: string | undefined
  pipeline: string | undefined
  base: string | undefined
  status: string
  runtime: string
  /** Phases still ahead, with the gates each asks. */
  phases: { phase: string; mode: string; works: boolean; gates: string[]; items: string[] }[]
  /** Commands of the change that no configuration names, so that nothing judges them. */
  unjudged: string[]
  notes: string[]
}

/** Returns what `run` would do for an issue. */
export async function planRun(ports: Ports, options: Wanted): Promise<RunPlan> {
  const issue = await ports.forge.readIssue(options.issue)
  const next = await nextTicket(ports, options)
  const nothing = { issue: issue.number, title: issue.title, phases: [], unjudged: [] }
  if (next === 'done') {
    return {
      ...nothing,
      ticket: undefined,
      branch: undefined,
      pipeline: undefined,
      base: undefined,
      status: 'done',
      runtime: 'none',
      notes: ['every stretch is merged'],
    }
  }
  const { definitions, pipeline, phases, found, ticket } = next
  const labels = routedLabels(ports, definitions.config, issue.labels, options.agent, found?.state)
  const chosen = ports.choose(
    { ...issue, labels },
    {
      config: definitions.config,
      override: options.agent,
      runtimes: [...ports.runtimes, ...definitions.extensions.runtimes],
      ...(phases[0] === undefined ? {} : { phase: asPhase(phases[0]) }),
    },
  )
  const at = found?.state.control.phase
  const ahead =
    at === undefined
      ? phases
      : phases.slice(
          Math.max(
            0,
            phases.findIndex(({ name }) => name === at),
          ),
        )
  const named = definitions.config.commands
  return {
    ...nothing,
    ticket,
    branch: branchOf(ticket),
    pipeline: pipeline.id,
    base: found?.state.ledger.opened?.base ?? definitions.commit,
    status: found?.state.status ?? 'queued',
    runtime: isRouted(ports, definitions.config, issue.labels, options.agent)
      ? `whom the router chooses among ${definitions.config.router.arms.join(', ')} (${definitions.config.router.stage})`
      : 'runtime' in chosen
        ? chosen.runtime.id
        : `none: ${chosen.needs}`,
    phases: ahead.map((phase) => {
      const { required } = phaseGates(definitions, pipeline, phase.name)
      return {
        phase: phase.name,
        mode: phase.mode,
        works: phase.works,
        gates: required.map(({ gate }) => gate),
        items: required.flatMap(({ item }) => (item === undefined ? [] : [item])),
      }
    }),
    unjudged: (['lint', 'types', 'build', 'test'] as const).filter((name) => named[name] === undefined),
    notes: definitions.found ? [] : ['the base has no .valuetrain/config.yaml; the built-in defaults judge'],
  }
}

/** Returns the issues that `drive` would take now, in order, and why the others are passed over. */
export async function planDrive(ports: Ports): Promise<{ ready: number[]; passed: { number: number; why: string }[] }> {
  return readyIssues(ports, new Set(), new Map())
}
