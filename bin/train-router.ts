import { readConfig } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { readerOf } from '../core/reader.ts'
import { routerInUse, type TicketLog } from '../training/router/index.ts'
import type { RoutingConfig } from '../training/router/train/config.ts'
import { executeRouting, planRouting, type RoutingOrder } from '../training/router/train/execute.ts'
import type { RunOutcome, RunPlan } from '../training/run/index.ts'
import type { Context } from './context.ts'
import { trainingDisplay } from './display/training.ts'
import { decisionsIn } from './routing.ts'
import { provenanceOf, type TrainingPlace } from './training.ts'

/** Returns the decisions of every ticket; read when they are asked for. */
export function decisionsOf({ repository, root }: Pick<TrainingPlace, 'repository' | 'root'>): () => Promise<TicketLog[]> {
  return async () => decisionsIn(repository, (await readConfig(readerOf(root))).config)()
}

/** Trains a router, or says what that would do. @throws VT_ROUTER_FOREIGN when the champion of that name is no router */
export async function trainRouter(
  context: Context,
  place: TrainingPlace,
  named: { config: RoutingConfig; source: string },
  { plan, json, resumes }: { plan: boolean; json: boolean; resumes: string | undefined },
): Promise<RunPlan | RunOutcome> {
  const { config, source } = named
  const common = {
    config,
    root: place.root,
    champion: await routerInUse(place.shared.reader, place.shared.runs, config.name),
    decisions: decisionsOf(place),
    clock: context.clock,
  }
  if (plan) return planRouting(common)
  const display = trainingDisplay(context, { json })
  const order: RoutingOrder = {
    ...common,
    resumes,
    stateDir: place.stateDir,
    store: place.runs.store,
    provenance: await provenanceOf(place.git, source),
    signal: context.signal,
    onProgress: (progress) => display.progress(progress),
    onEvent: (event) => display.event(event),
  }
  try {
    return await executeRouting(order)
  } finally {
    display.close()
  }
}

/** @throws VT_ROUTER_ONLY when a configuration is a router's and the command is about something else */
export function refuseRouter(config: { algorithm: string }, command: string): ValuetrainError {
  return new ValuetrainError(
    'VT_ROUTER_ONLY',
    `${command} is for policies of environments, and ${config.algorithm} makes a router`,
    {
      kind: 'user',
      hint: 'train it with `valuetrain train`, and compare its runs with `valuetrain runs compare`',
    },
  )
}
