import { defaultBase } from '../core/repository.ts'
import type { Definitions } from './definitions.ts'
import { doneIssues } from './done.ts'
import type { Ports } from './ports.ts'
import { clashIsOver } from './radar.ts'
import { routedLabels } from './route.ts'
import type { TicketState } from './state.ts'

/**
 * Tells whether what a ticket waits for has come about, observed anew each time. Approvals and check-ins end the wait
 * themselves, by the event that answers them.
 */
export async function waitIsOver(
  ports: Ports,
  state: TicketState,
  definitions: Definitions,
  options: { agent?: string; unattended?: boolean },
): Promise<boolean> {
  const { waiting, opened, children } = state.ledger
  const now = ports.clock.now()
  switch (waiting?.reason) {
    case 'agent-needed': {
      const runtimes = [...ports.runtimes, ...definitions.extensions.runtimes]
      const { phase, mode, child } = state.control
      const issue = opened?.issue ?? { number: 0, labels: [] }
      const labels = routedLabels(ports, definitions.config, issue.labels, options.agent, state)
      const chosen = ports.choose(
        { ...issue, labels },
        {
          config: definitions.config,
          override: options.agent,
          runtimes,
          ...(phase === undefined || mode === undefined ? {} : { phase: { name: phase, mode, child } }),
        },
      )
      return 'runtime' in chosen && (await chosen.runtime.probe()).ready
    }
    // A person who runs the ticket again says that the hand-off is done; the queue cannot know.
    case 'hand-off':
      return options.unattended !== true
    case 'usage-limit':
      return waiting.until === undefined || Date.parse(waiting.until) <= now
    // A day's budget is new at midnight; the others when somebody has given more, or runs the ticket all the same.
    case 'budget': {
      if (waiting.until !== undefined && Date.parse(waiting.until) <= now) return true
      if (waiting.needsUsd === undefined) return options.unattended !== true
      const free = await ports.models?.freeUsd(state.ticket)
      return free === undefined || free >= waiting.needsUsd
    }
    case 'children': {
      const finished = await doneIssues(ports)
      return children.every(({ issue, done }) => done || (issue !== undefined && finished.has(issue)))
    }
    case 'base-diverged':
      return defaultBase(ports.repository, definitions.config).then(
        () => true,
        () => false,
      )
    case 'clash':
      return clashIsOver({ definitions, ports }, waiting.on)
    case 'remote-refused':
    case 'default-branch-dirty':
      return true
    default:
      return false
  }
}
