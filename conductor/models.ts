import type { ModelCall, ModelRun } from '../core/contracts/model.ts'
import type { RoleId } from '../core/contracts/names.ts'
import type { Runtime, TurnResult } from '../core/contracts/runtime.ts'
import { learnSecretsOf } from '../core/known-secrets.ts'
import type { Job } from './job.ts'

/**
 * Opens a turn's way to models, for a runtime that calls some; every call becomes an entry of the session, one after
 * another, before the agent sees the end of its answer.
 */
export async function openModels(
  { desk }: Pick<Job, 'desk'>,
  { turn, role, runtime }: { turn: string; role: RoleId; runtime: Runtime },
): Promise<ModelRun | undefined> {
  const { phase, mode } = desk.state.control
  if (!runtime.callsModels || desk.ports.models === undefined || phase === undefined || mode === undefined) return undefined
  let written: Promise<unknown> = Promise.resolve()
  const record = (call: ModelCall): Promise<void> => {
    const line = written.then(() => desk.record('MODEL_CALLED', call))
    written = line.catch(() => {})
    return line.then(() => {})
  }
  const { epoch } = desk.state.ledger
  const run = await desk.ports.models.open({ ticket: desk.ticket, turn, phase, mode, role, runtime: runtime.id, epoch }, record)
  learnSecretsOf(run.access.env)
  return run
}

/**
 * Returns a turn's result as the gateway knows it: its usage is what was metered, not what the agent says, wherever
 * every cost is known; and a turn
 * that did not complete after a limit or a budget refused its calls is parked for that, and costs no attempt. Only a
 * turn that used up the share of one run has failed: a further run would begin with a new one and do the same.
 */
export function asMetered(result: TurnResult, models: ModelRun | undefined): TurnResult {
  if (models === undefined) return result
  const { usage, stopped } = models
  const metered: TurnResult = usage === undefined ? result : { ...result, usage }
  if (stopped === undefined || result.outcome === 'completed') return metered
  if (stopped.kind === 'run-budget' || stopped.kind === 'run-limit')
    return { ...metered, outcome: 'failed', reason: stopped.reason }
  const { until: _, ...rest } = metered
  return { ...rest, outcome: 'limited', reason: stopped.reason, ...(stopped.until === undefined ? {} : { until: stopped.until }) }
}
