/** Trials of a sweep over the settings of a router. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { meanScore } from '../../evaluate.ts'
import type { Searched } from '../../run/sweeping.ts'
import type { TicketLog } from '../log.ts'
import { ROUTER_SETTINGS, type RouterPolicy } from '../policy.ts'
import { checkRoutingConfig, type RoutingConfig } from './config.ts'
import { openRoutingData, type RoutingData, requireEnough, splitCases } from './data.ts'
import { openRoutingLearner } from './learning.ts'
import { estimateRouter, tableRows } from './measuring.ts'

export interface RoutingTrialOrder {
  config: RoutingConfig
  /** Absolute; the working tree. */
  root: string
  decisions: () => Promise<readonly TicketLog[]>
}

/**
 * Returns what a sweep over a router's configuration searches. The cases that a run learns on are divided once more: the
 * last of them measure the trials, so that neither the verdict's cases nor those of a validation are looked at.
 *
 * @throws VT_ROUTER_DATA when too few cases are left; whatever opening the data throws
 */
export async function routingTrialsOf({ config, root, decisions }: RoutingTrialOrder): Promise<Searched> {
  const data = await openRoutingData(config, root, decisions)
  requireEnough(data.learn.length, `what ${config.name} learns on`)
  const searched = within(data, config.evaluation.heldOut)
  const { name: _, about: __, ...identity } = config
  return {
    algorithm: config.algorithm,
    settings: Object.keys(ROUTER_SETTINGS[config.algorithm].shape),
    identity: { config: identity, data: data.identity },
    isStepwise: false,
    async run(_sweep, { trial, parameters, seed }, signal) {
      await nextTurn()
      const settings = { ...config.settings, ...parameters }
      const own = checkRoutingConfig({ ...config, settings }, `trial ${trial}`)
      const mine = { ...searched, spec: { ...searched.spec, settings: own.settings } }
      const learner = openRoutingLearner(mine, seed)
      while (learner.steps < learner.totalSteps) {
        if (signal.aborted) return undefined
        learner.step()
      }
      return [{ steps: 0, value: worthOf(learner.policy(), mine, config.evaluation.seed) }]
    },
  }
}

/** The last of the cases to learn on, to measure by. The same is done twice, as cases of a table and of a log are never mixed. */
function within(data: RoutingData, heldOut: number): RoutingData {
  if (data.from === 'table') {
    const { learn, held, fresh } = splitCases(data.learn, heldOut)
    return { ...data, learn, held: [...held, ...fresh], fresh: [] }
  }
  const { learn, held, fresh } = splitCases(data.learn, heldOut)
  return { ...data, learn, held: [...held, ...fresh], fresh: [] }
}

/** Solved less the price of its dollars, a case; on a log as the doubly robust estimate has it. */
function worthOf(policy: RouterPolicy, data: RoutingData, suite: number): number {
  if (data.from === 'table') return meanScore(tableRows(policy, data.held, data, 0, suite))
  return estimateRouter(policy, data.held, data.spec, `sweep ${suite}`).report.estimates.dr.estimate
}
