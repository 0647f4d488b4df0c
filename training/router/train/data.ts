/** What a router learns from, the same for a table and for a log: cases to learn on, cases to be measured on. */
import { canonicalJson, digestOf, sha256 } from '../../../core/canonical.ts'
import { ValuetrainError } from '../../../core/errors.ts'
import { featuresOf, namesOf } from '../features.ts'
import type { GateRates } from '../gate.ts'
import { armsOf, casesOf, type LoggedCase, type TicketLog } from '../log.ts'
import { openOutcomes } from '../outcomes.ts'
import { HAND_OVER, type RouterSpec } from '../policy.ts'
import type { OutcomeTableRow } from '../table.ts'
import type { RoutingConfig } from './config.ts'

/** One issue of a table with what the router may look at. */
export interface TableCase extends OutcomeTableRow {
  features: Readonly<Record<string, number>>
}

interface Common {
  spec: RouterSpec
  gate: GateRates
  /** What of the data enters the run's hash. */
  identity: Record<string, unknown>
  /** For people. */
  about: string
}

export type RoutingData = Common &
  (
    | { from: 'table'; learn: TableCase[]; held: TableCase[]; fresh: TableCase[] }
    | { from: 'log'; learn: LoggedCase[]; held: LoggedCase[]; fresh: LoggedCase[]; all: LoggedCase[] }
  )

/** Fewer cases than this teach nothing that could be measured. */
const LEAST_CASES = 12

/**
 * Opens the data of a configuration. Cases are split by their order, never at random: the last ones are held out, one half
 * for the verdict of training (`held`) and one for a validation after it (`fresh`).
 *
 * @param decisions of the sessions in git; called only for a configuration that learns from them
 * @throws VT_TABLE, VT_TABLE_ARM, VT_DATA_MISSING; VT_ROUTER_DATA when there is too little
 */
export async function openRoutingData(
  config: RoutingConfig,
  root: string,
  decisions: () => Promise<readonly TicketLog[]>,
): Promise<RoutingData> {
  const { environment, algorithm: kind, settings, evaluation } = config
  if ('outcomes' in environment) {
    const { table, gate, identity } = await openOutcomes(root, environment.outcomes)
    const cases = table.rows.map((row) => ({ ...row, features: featuresOf({ group: row.group }) }))
    requireEnough(cases.length, environment.outcomes.table)
    requireChoice(table.arms, kind, environment.outcomes.table)
    const { learn, held, fresh } = splitCases(cases, evaluation.heldOut)
    const features = namesOf(learn.map((one) => one.features))
    const spec = { kind, arms: [...table.arms], features, price: environment.outcomes.price, gate, settings }
    return {
      from: 'table',
      spec,
      gate,
      identity: { outcomes: identity },
      learn,
      held,
      fresh,
      about: `${environment.outcomes.table}, ${cases.length} issues`,
    }
  }
  const { price, gate } = environment.decisions
  const all = casesOf(await decisions())
  requireEnough(all.length, 'the decision log')
  const { learn, held, fresh } = splitCases(all, evaluation.heldOut)
  const features = namesOf(learn.map((one) => one.features))
  const arms = armsOf(all).map((arm) => (kind === 'cascade' && arm === 'agent:person' ? HAND_OVER : arm))
  requireChoice(arms, kind, 'the decision log')
  return {
    from: 'log',
    spec: { kind, arms, features, price, gate, settings },
    gate,
    identity: {
      decisions: { cases: all.length, sha256: sha256(canonicalJson(all)), price, gate },
      id: `Decisions-${digestOf(all).slice(0, 12)}`,
    },
    learn,
    held,
    fresh,
    all,
    about: `${all.length} logged cases`,
  }
}

/** Returns cases in three: to learn on, for the verdict of training, and for a validation that has never seen them used. */
export function splitCases<T>(cases: readonly T[], heldOut: number): { learn: T[]; held: T[]; fresh: T[] } {
  const cut = Math.min(cases.length - 4, Math.max(4, Math.round(cases.length * (1 - heldOut))))
  const last = cases.slice(cut)
  return { learn: cases.slice(0, cut), held: last.filter((_, i) => i % 2 === 0), fresh: last.filter((_, i) => i % 2 === 1) }
}

/** @throws VT_ROUTER_DATA when there are too few cases to learn from */
export function requireEnough(cases: number, where: string): void {
  if (cases >= LEAST_CASES) return
  throw new ValuetrainError(
    'VT_ROUTER_DATA',
    `${where} holds ${cases} cases whose end is known; ${LEAST_CASES} are the least to learn from`,
    {
      kind: 'config',
      hint: 'let more issues be routed (`router.stage: on` draws evenly until a policy is promoted), or give an outcome table',
    },
  )
}

/** A cascade of one arm still chooses: whether to try again, and when to hand over. */
function requireChoice(arms: readonly string[], kind: string, where: string): void {
  if (arms.length > 1 || kind === 'cascade') return
  throw new ValuetrainError('VT_ROUTER_DATA', `${where} knows the arm ${arms.join(', ')} alone, so there is nothing to choose`, {
    kind: 'config',
    hint: 'give outcomes of a second arm, or learn a cascade, which decides about retries and the hand-over',
  })
}
