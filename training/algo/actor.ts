/** A policy and a value network side by side, as the policy-gradient algorithms use them. */
import type { Backend } from '../backend/backend.ts'
import { log } from '../math.ts'
import { softmax } from '../nn/loss.ts'
import { Mlp, openParameters, type Parameters, parameterLength } from '../nn/mlp.ts'
import type { Activation, Random } from '../types.ts'

export interface Actor {
  policy: Mlp
  value: Mlp
  /** Of both networks, so that one step of the optimiser moves both. */
  parameters: Parameters
  /**
   * Draws one action for each row.
   *
   * @param logProbabilities takes their logarithms, from `at` on
   */
  draw(seen: Float32Array, random: Random, logProbabilities: Float64Array, at: number): number[]
  /** Writes the value of every row, however many there are. */
  judge(rows: Float32Array, out: Float64Array): void
  /** Of the row that `weigh` was last asked about. */
  readonly probabilities: Float64Array
  /** Works out the probabilities of a row that went through the policy and returns its entropy in nats. */
  weigh(row: number): number
  /**
   * Writes the gradient of the logits of the row weighed last.
   *
   * @param pull derivative of the row's loss by the logarithm of the taken action's probability
   * @param rows whose mean the loss is
   */
  pull(row: number, action: number, pull: number, entropy: number, entropyBonus: number, rows: number): void
}

/** Returns both networks at their beginning. @param rows that go through them at once */
export function openActor(
  backend: Backend,
  shape: { inputs: number; actions: number; hidden: readonly number[]; activation: Activation },
  rows: number,
  origin: Random,
): Actor {
  const { inputs, actions, hidden, activation } = shape
  const policyShape = { inputs, hidden, outputs: actions, activation }
  const valueShape = { ...policyShape, outputs: 1 }
  const parameters = openParameters(backend, [policyShape, valueShape])
  const policy = new Mlp(backend, policyShape, rows, parameters)
  const value = new Mlp(backend, valueShape, rows, parameters, parameterLength(policyShape))
  // A small last layer starts with an almost uniform policy.
  policy.initialise(origin.split('policy'), 0.01)
  value.initialise(origin.split('value'), 1)
  const probabilities = new Float64Array(actions)
  return {
    policy,
    value,
    parameters,
    draw(seen, random, logProbabilities, at) {
      const count = seen.length / inputs
      policy.input.set(seen)
      const logits = policy.forward(count)
      const chosen: number[] = new Array(count)
      for (let n = 0; n < count; n++) {
        softmax(logits, n * actions, actions, probabilities)
        const action = random.categorical(probabilities)
        chosen[n] = action
        logProbabilities[at + n] = log(probabilities[action] as number)
      }
      return chosen
    },
    judge(input, out) {
      const total = input.length / inputs
      for (let from = 0; from < total; from += rows) {
        const some = Math.min(rows, total - from)
        value.input.set(input.subarray(from * inputs, (from + some) * inputs))
        const result = value.forward(some)
        for (let r = 0; r < some; r++) out[from + r] = result[r] as number
      }
    },
    probabilities,
    weigh: (row) => softmax(policy.output, row * actions, actions, probabilities),
    pull(row, action, pull, entropy, entropyBonus, count) {
      for (let n = 0; n < actions; n++) {
        const p = probabilities[n] as number
        const towards = pull * ((n === action ? 1 : 0) - p)
        const spreading = entropyBonus !== 0 && p > 0 ? entropyBonus * p * (log(p) + entropy) : 0
        policy.outputGradient[row * actions + n] = (towards + spreading) / count
      }
    },
  }
}
