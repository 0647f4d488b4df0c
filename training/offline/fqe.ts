/**
 * Fitted Q evaluation: what a policy would return, learned from steps that others took.
 *
 * @see Le, Voloshin and Yue 2019, arXiv:1903.08738; here with a slowly following target network
 */
import { huber, huberGradient, softmax } from '../nn/loss.ts'
import { largest, openScorer } from '../nn/policy.ts'
import type { Metrics, PolicyModel } from '../types.ts'
import type { OfflineDataset } from './dataset.ts'
import { drawRows, followNetwork, gather, type OfflineConfigInput, openWorkbench, requireFiniteLoss } from './fit.ts'

/** Chances of each action at the first `rows` rows of [rows x size] observations, written to [rows x actions]. */
export type ActionChances = (observations: Float32Array, rows: number, out: Float64Array) => void

/** Returns the chances by which a model acts. @param maxRows rows it is asked for at most */
export function chancesOf(model: PolicyModel, maxRows: number): ActionChances {
  const scorer = openScorer(model, maxRows)
  const chances = new Float64Array(scorer.actions)
  return (observations, rows, out) => {
    const n = scorer.actions
    const scores = scorer.score(observations, rows)
    for (let i = 0; i < rows; i++) {
      if (model.head === 'greedy') {
        out.fill(0, i * n, (i + 1) * n)
        out[i * n + largest(scores, i * n, n)] = 1
      } else {
        softmax(scores, i * n, n, chances)
        out.set(chances, i * n)
      }
    }
  }
}

/**
 * Returns the discounted return a policy would have from the data's first steps on.
 *
 * It is an estimate by a model and has no error bar of its own: use it to rank policies, and promote by episodes or by
 * estimates with intervals.
 */
export function evaluateFitted(
  dataset: OfflineDataset,
  policy: ActionChances,
  config: OfflineConfigInput = {},
): { value: number; metrics: Metrics } {
  const bench = openWorkbench(dataset, config)
  const { batch, updates, rate, gamma, follow } = bench.config
  const { mlp, optimiser, parameters } = bench.open('values')
  const target = bench.open('target')
  target.parameters.set(parameters)
  const random = bench.random.split('batches')
  const n = dataset.action.n
  const rows = new Uint32Array(batch)
  const next = new Float32Array(batch * dataset.size)
  const chances = new Float64Array(batch * n)
  let loss = 0
  for (let update = 0; update < updates; update++) {
    drawRows(dataset, random, rows)
    gather(dataset.next, dataset.size, rows, next)
    policy(next, batch, chances)
    target.mlp.input.set(next)
    target.mlp.forward(batch)
    gather(dataset.observations, dataset.size, rows, mlp.input)
    mlp.forward(batch)
    mlp.outputGradient.fill(0)
    loss = 0
    for (let i = 0; i < batch; i++) {
      const row = rows[i] as number
      let later = 0
      for (let a = 0; a < n; a++) later += (chances[i * n + a] as number) * (target.mlp.output[i * n + a] as number)
      const goal = (dataset.rewards[row] as number) + (dataset.terminated[row] === 1 ? 0 : gamma * later)
      const at = i * n + (dataset.actions[row] as number)
      const error = (mlp.output[at] as number) - goal
      loss += huber(error) / batch
      mlp.outputGradient[at] = huberGradient(error) / batch
    }
    requireFiniteLoss(loss, update)
    mlp.backward(batch)
    optimiser.step(rate * (1 - update / updates), 10)
    followNetwork(target.parameters, parameters, follow)
  }
  return { value: valueAtStarts(dataset, policy, mlp, batch), metrics: { loss_difference: loss, updates } }
}

function valueAtStarts(
  dataset: OfflineDataset,
  policy: ActionChances,
  mlp: { input: Float32Array; output: Float32Array; forward(rows: number): Float32Array },
  batch: number,
): number {
  const n = dataset.action.n
  let sum = 0
  for (let from = 0; from < dataset.starts.length; from += batch) {
    const rows = dataset.starts.slice(from, from + batch)
    const observations = new Float32Array(rows.length * dataset.size)
    const chances = new Float64Array(rows.length * n)
    gather(dataset.observations, dataset.size, rows, observations)
    policy(observations, rows.length, chances)
    mlp.input.set(observations)
    mlp.forward(rows.length)
    for (let i = 0; i < chances.length; i++) sum += (chances[i] as number) * (mlp.output[i] as number)
  }
  return sum / dataset.starts.length
}
