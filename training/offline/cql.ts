/**
 * Conservative Q-learning for numbered actions: double Q-learning on the data, with a penalty that keeps actions the
 * data does not take from looking good only because nobody tried them.
 *
 * Differences from the paper: the discrete form (its equation 4 with R = entropy), a slowly following target network,
 * and Huber's loss for the temporal difference.
 *
 * @see Kumar et al. 2020, arXiv:2006.04779
 */

import { logSumExp } from '../math.ts'
import { huber, huberGradient, softmax } from '../nn/loss.ts'
import { largest } from '../nn/policy.ts'
import type { Metrics, PolicyModel } from '../types.ts'
import type { OfflineDataset } from './dataset.ts'
import { drawRows, followNetwork, gather, modelOf, type OfflineConfigInput, openWorkbench, requireFiniteLoss } from './fit.ts'

/** Returns a policy that is better than the data where the data allows it. */
export function learnConservatively(
  dataset: OfflineDataset,
  config: OfflineConfigInput = {},
): { model: PolicyModel; metrics: Metrics } {
  const bench = openWorkbench(dataset, config)
  const { batch, updates, rate, gamma, follow, caution } = bench.config
  const { mlp, optimiser, parameters } = bench.open('values')
  const target = bench.open('target')
  target.parameters.set(parameters)
  const random = bench.random.split('batches')
  const n = dataset.action.n
  const rows = new Uint32Array(batch)
  const goals = new Float64Array(batch)
  const chances = new Float64Array(n)
  let difference = 0
  let penalty = 0
  for (let update = 0; update < updates; update++) {
    drawRows(dataset, random, rows)
    gather(dataset.next, dataset.size, rows, target.mlp.input)
    gather(dataset.next, dataset.size, rows, mlp.input)
    target.mlp.forward(batch)
    mlp.forward(batch)
    for (let i = 0; i < batch; i++) {
      const row = rows[i] as number
      // The learned network chooses, the target network values: double Q-learning.
      const best = largest(mlp.output, i * n, n)
      const later = dataset.terminated[row] === 1 ? 0 : (target.mlp.output[i * n + best] as number)
      goals[i] = (dataset.rewards[row] as number) + gamma * later
    }
    gather(dataset.observations, dataset.size, rows, mlp.input)
    mlp.forward(batch)
    difference = 0
    penalty = 0
    for (let i = 0; i < batch; i++) {
      const action = dataset.actions[rows[i] as number] as number
      const at = i * n
      const error = (mlp.output[at + action] as number) - (goals[i] as number)
      softmax(mlp.output, at, n, chances)
      difference += huber(error) / batch
      penalty += (logSumExp(mlp.output, at, at + n) - (mlp.output[at + action] as number)) / batch
      for (let a = 0; a < n; a++) {
        const push = caution * ((chances[a] as number) - (a === action ? 1 : 0))
        mlp.outputGradient[at + a] = (push + (a === action ? huberGradient(error) : 0)) / batch
      }
    }
    requireFiniteLoss(difference + penalty, update)
    mlp.backward(batch)
    optimiser.step(rate * (1 - update / updates), 10)
    followNetwork(target.parameters, parameters, follow)
  }
  return { model: modelOf(dataset, mlp, 'greedy'), metrics: { loss_difference: difference, loss_penalty: penalty, updates } }
}
