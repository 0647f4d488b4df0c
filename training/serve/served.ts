/** What a server answers with: a policy of an environment, or a router of issues. */
import { ValuetrainError } from '../../core/errors.ts'
import type { TreeReader } from '../../core/reader.ts'
import { sizeOf } from '../env/space.ts'
import { largest, policyOf } from '../nn/policy.ts'
import { type Alias, foldAlias, readPromotions } from '../policy/promotions.ts'
import type { RouterInUse } from '../router/deciding.ts'
import { type Features, featuresOf } from '../router/features.ts'
import { isRouterRun, routerOfRun } from '../router/in-use.ts'
import { policyOfRun, type RunSource, readRun } from '../run/folder.ts'
import type { Champion } from '../run/order.ts'
import type { Random } from '../types.ts'

/** One decision, before it is known whose share of the requests it belongs to. */
export interface Choice {
  /** Place of what was chosen among the actions or the arms. */
  action: number
  name?: string
  /** Chance it had; 1 where the best was taken. */
  propensity: number
  /** Of a router: what could have been chosen, and the chance of each. */
  candidates?: readonly { id: string; propensity: number }[]
  /** What was looked at, for the log. */
  seen: Readonly<Record<string, unknown>>
}

export interface Served {
  readonly run: string
  readonly version: string
  /** @throws VT_SERVE_REQUEST when the request holds nothing that could be decided on */
  decide(request: Readonly<Record<string, unknown>>, random: Random, greedy: boolean): Choice
}

/** Returns a policy of an environment, which decides on an `observation`. */
export function servedPolicy({ run, version, model }: Champion): Served {
  const policy = policyOf(model)
  const size = sizeOf(model.observation)
  const { names } = model.action
  return {
    run,
    version,
    decide(request, random, greedy) {
      const observation = observationOf(request.observation, size)
      const { action, propensity, logits } = policy.act(observation, random, greedy)
      // Of scores that are no numbers none is the best: whatever is answered would be an accident.
      if (!logits.every(Number.isFinite)) {
        throw new ValuetrainError('VT_SERVE_SCORES', `run ${run} has no finite scores for this observation`, {
          kind: 'environment',
        })
      }
      const name = names?.[action]
      return { action, propensity, ...(name ? { name } : {}), seen: { observation: [...observation] } }
    },
  }
}

/** Returns a router, which decides on facts of an issue (`labels`, `mode`, `title`, `body`, `attempt`) or on `features`. */
export function servedRouter({ run, version, policy }: RouterInUse): Served {
  const { arms } = policy
  return {
    run,
    version,
    decide(request, random, greedy) {
      const features = featuresIn(request)
      const refused = textsIn(request, 'refused') ?? []
      const unknown = refused.find((arm) => !arms.includes(arm))
      if (unknown !== undefined) throw refusal(`\`refused\` names ${unknown.slice(0, 80)}; the router knows ${arms.join(', ')}`)
      const chances = policy.propensities({ features, refused }, random)
      const action = greedy ? largest(chances, 0, arms.length) : random.categorical(chances)
      return {
        action,
        name: arms[action] as string,
        propensity: greedy ? 1 : (chances[action] as number),
        candidates: arms.map((id, arm) => ({ id, propensity: chances[arm] as number })),
        seen: { features, ...(refused.length === 0 ? {} : { refused }) },
      }
    },
  }
}

/**
 * Returns what an alias stands for, or undefined when nothing was promoted.
 *
 * @param reader and source of the same commit
 * @throws VT_POLICY_TWO_RECORDS; VT_RUN_ALTERED, VT_POLICY_DAMAGED, VT_ROUTER_FOREIGN when its run is not as it was written
 */
export async function servedInUse(
  reader: TreeReader,
  source: RunSource,
  policy: string,
  alias: Alias = 'champion',
): Promise<Served | undefined> {
  const { current } = foldAlias(await readPromotions(reader, policy), policy, alias)
  if (current === undefined) return undefined
  const stored = await readRun(source, current.run)
  const { version } = current
  if (await isRouterRun(stored)) return servedRouter({ run: stored.id, version, policy: (await routerOfRun(stored)).policy })
  return servedPolicy({ run: stored.id, version, model: await policyOfRun(stored) })
}

/** Returns an error for a request that is wrong in itself. */
export function refusal(why: string): ValuetrainError {
  return new ValuetrainError('VT_SERVE_REQUEST', why)
}

/** Returns whether an error says that the request was wrong, and not that we failed. */
export function isRefusal(cause: unknown): cause is ValuetrainError {
  return cause instanceof ValuetrainError && cause.code === 'VT_SERVE_REQUEST'
}

function observationOf(value: unknown, size: number): Float32Array {
  const numbers = Array.isArray(value) && value.every((one) => typeof one === 'number') ? Float32Array.from(value) : undefined
  if (numbers?.length === size && numbers.every(Number.isFinite)) return numbers
  throw refusal(`\`observation\` is a list of ${size} finite numbers`)
}

function featuresIn(request: Readonly<Record<string, unknown>>): Features {
  const { features, attempt } = request
  if (features !== undefined) {
    const sound = typeof features === 'object' && features !== null && !Array.isArray(features)
    if (sound && Object.values(features).every((value) => Number.isFinite(value))) return features as Features
    throw refusal('`features` is finite numbers by name')
  }
  if (attempt !== undefined && !(Number.isInteger(attempt) && (attempt as number) >= 1)) {
    throw refusal('`attempt` is a whole number from 1')
  }
  const labels = textsIn(request, 'labels')
  const texts = (['mode', 'title', 'body'] as const).filter((name) => request[name] !== undefined)
  const odd = texts.find((name) => typeof request[name] !== 'string')
  if (odd !== undefined) throw refusal(`\`${odd}\` is text`)
  if (labels === undefined && texts.length === 0) {
    throw refusal('a router decides on `features`, or on `labels`, `mode`, `title` and `body` of an issue')
  }
  return featuresOf({
    ...(labels === undefined ? {} : { labels }),
    ...Object.fromEntries(texts.map((name) => [name, request[name] as string])),
    ...(attempt === undefined ? {} : { attempt: attempt as number }),
  })
}

function textsIn(request: Readonly<Record<string, unknown>>, name: string): string[] | undefined {
  const value = request[name]
  if (value === undefined) return undefined
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw refusal(`\`${name}\` is a list of texts`)
}
