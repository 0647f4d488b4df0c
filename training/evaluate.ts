import { ValuetrainError } from '../core/errors.ts'
import type { Backend } from './backend/backend.ts'
import { requireObservation, requireReward, sample, sizeOf } from './env/space.ts'
import { softmax } from './nn/loss.ts'
import { largest, openScorer } from './nn/policy.ts'
import { randomFrom } from './random.ts'
import type { Action, Environment, OutcomeRow, PolicyModel, RemoteEnvironment } from './types.ts'

export interface Evaluation {
  open: (index: number) => Environment | RemoteEnvironment
  /** Fresh episodes, each in an environment of its own, stepped side by side. */
  episodes: number
  /** Decides with which seeds they begin; the same seed gives the same episodes to every policy. */
  seed: number
}

/**
 * Returns one row an episode: the undiscounted return as its score. An episode whose environment broke is marked as an
 * infrastructure fault and has no score (0).
 *
 * @param greedy take the best action; default true
 */
export async function evaluate(
  model: PolicyModel,
  evaluation: Evaluation,
  { greedy = true, backend }: { greedy?: boolean; backend?: Backend } = {},
): Promise<OutcomeRow[]> {
  const scorer = openScorer(model, evaluation.episodes, backend)
  const n = scorer.actions
  const probabilities = new Float64Array(n)
  const random = randomFrom(evaluation.seed).split('actions')
  return play(evaluation, (observations, rows) => {
    const scores = scorer.score(observations, rows)
    return Array.from({ length: rows }, (_, r) => {
      if (greedy || model.head === 'greedy') return largest(scores, r * n, n)
      softmax(scores, r * n, n, probabilities)
      return random.categorical(probabilities)
    })
  })
}

/** Returns the rows of a policy that draws every action uniformly: the floor that every report shows. */
export async function evaluateRandom(evaluation: Evaluation): Promise<OutcomeRow[]> {
  const random = randomFrom(evaluation.seed).split('actions')
  return play(evaluation, (_, rows, space) => Array.from({ length: rows }, () => sample(space, random)))
}

/** Returns the mean score of the rows that are scores; NaN when none is. */
export function meanScore(rows: readonly OutcomeRow[]): number {
  const scores = rows.filter(({ infrastructureFault }) => !infrastructureFault).map(({ score }) => score)
  return scores.reduce((sum, score) => sum + score, 0) / scores.length
}

type Choose = (observations: Float32Array, rows: number, space: Environment['spec']['action']) => Action[]

async function play({ open, episodes, seed }: Evaluation, choose: Choose): Promise<OutcomeRow[]> {
  const seeds = randomFrom(seed).split('episodes')
  const members = await Promise.all(
    Array.from({ length: episodes }, async (_, index) => {
      const environment = open(index)
      const begin = seeds.uint32()
      const row: OutcomeRow = { case: `${environment.spec.id}/${index + 1}`, seed, score: 0, infrastructureFault: false }
      return { environment, row, running: true, observation: await guarded(row, () => environment.reset(begin)) }
    }),
  )
  try {
    for (;;) {
      for (const member of members) if (member.row.infrastructureFault) member.running = false
      const running = members.filter((member) => member.running)
      const [first] = running
      if (first === undefined) return members.map(({ row }) => row)
      const width = sizeOf(first.environment.spec.observation)
      const observations = new Float32Array(running.length * width)
      running.forEach(({ observation }, r) => {
        observations.set(observation ?? [], r * width)
      })
      const actions = choose(observations, running.length, first.environment.spec.action)
      await Promise.all(
        running.map(async (member, r) => {
          const { environment, row } = member
          const answered = await guarded(row, async () => {
            const transition = await environment.step(actions[r] as Action)
            requireObservation(environment.spec, transition.observation)
            requireReward(environment.spec, transition.reward)
            return transition
          })
          if (answered === undefined) return
          row.score += answered.reward
          member.observation = answered.observation
          member.running = !answered.terminated && !answered.truncated
        }),
      )
    }
  } finally {
    await Promise.all(members.map(({ environment }) => ('close' in environment ? environment.close() : undefined)))
  }
}

async function guarded<T>(row: OutcomeRow, ask: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind !== 'environment') throw error
    row.infrastructureFault = true
    row.score = 0
    return undefined
  }
}
