/** Who works an issue that names nobody: the router's choice, written down before anything is done by it. */
import type { Config } from '../core/config.ts'
import type { Job } from './job.ts'
import type { Ports, Route } from './ports.ts'
import type { TicketState } from './state.ts'

/** Returns whether the router chooses: it is in use, and neither a label nor the command line names somebody. */
export function isRouted(
  { route }: Pick<Ports, 'route'>,
  { router }: Pick<Config, 'router'>,
  labels: readonly string[],
  override: string | undefined,
): boolean {
  const named = labels.some((label) => label.startsWith('agent:') || label.startsWith('recipe:'))
  return route !== undefined && router.stage !== 'off' && override === undefined && !named
}

/** Returns the label of who would work an issue if there were no router. */
export function incumbentOf({ agent, router }: Pick<Config, 'agent' | 'router'>): string {
  return agent === null ? (router.arms[0] ?? 'agent:person') : `agent:${agent}`
}

/**
 * Returns an issue's labels as runtimes are chosen by: with the arm that was chosen for this attempt, or before there is
 * one with that of the incumbent, where the router chooses.
 */
export function routedLabels(
  ports: Pick<Ports, 'route'>,
  config: Pick<Config, 'agent' | 'router'>,
  labels: readonly string[],
  override: string | undefined,
  state?: TicketState,
): readonly string[] {
  if (!isRouted(ports, config, labels, override)) return labels
  return [...labels, (state && routeOf(state)?.chosen) ?? incumbentOf(config)]
}

/** Returns the choice for the attempt that is at work; undefined while there is none. */
export function routeOf({ control, ledger }: Pick<TicketState, 'control' | 'ledger'>): Route | undefined {
  return ledger.routes.findLast(({ phase, attempt }) => phase === control.phase && attempt === control.attempt)
}

/** Lets the router choose for the attempt, once: a restart finds the choice in the log. */
export async function chooseRoute({ desk, definitions, agent }: Job): Promise<void> {
  const { ports, state } = desk
  const { phase: name, mode, child, attempt } = state.control
  const issue = state.ledger.opened?.issue
  if (issue === undefined || name === undefined || mode === undefined || routeOf(state) !== undefined) return
  if (ports.route === undefined || !isRouted(ports, definitions.config, issue.labels, agent)) return
  const refused = state.ledger.routes.filter(({ phase }) => phase === name).map(({ chosen }) => chosen)
  const route = await ports.route({
    config: definitions.config,
    ticket: desk.ticket,
    issue,
    phase: { name, mode, child },
    attempt,
    refused: [...new Set(refused)],
  })
  if (route !== undefined) await desk.record('ROUTED', { ...route, phase: name, attempt })
}
