/**
 * Behaviour cloning: what was done is what is to be done. As good as the data on average, and the baseline that every
 * other offline method has to beat.
 *
 * @see Pomerleau 1991
 */
import { crossEntropy } from '../nn/loss.ts'
import type { Metrics, PolicyModel } from '../types.ts'
import type { OfflineDataset } from './dataset.ts'
import { drawRows, gather, modelOf, type OfflineConfigInput, openWorkbench, requireFiniteLoss } from './fit.ts'

/** Returns a policy that imitates the data, with the loss of the last tenth of the updates. */
export function cloneBehaviour(
  dataset: OfflineDataset,
  config: OfflineConfigInput = {},
): { model: PolicyModel; metrics: Metrics } {
  const bench = openWorkbench(dataset, config)
  const { batch, updates, rate } = bench.config
  const { mlp, optimiser } = bench.open('policy')
  const random = bench.random.split('batches')
  const rows = new Uint32Array(batch)
  const actions = new Int32Array(batch)
  let lateLoss = 0
  let late = 0
  for (let update = 0; update < updates; update++) {
    drawRows(dataset, random, rows)
    gather(dataset.observations, dataset.size, rows, mlp.input)
    for (let i = 0; i < batch; i++) actions[i] = dataset.actions[rows[i] as number] as number
    mlp.forward(batch)
    const loss = crossEntropy(mlp.output, actions, batch, dataset.action.n, mlp.outputGradient)
    requireFiniteLoss(loss, update)
    mlp.backward(batch)
    optimiser.step(rate * (1 - update / updates), 10)
    if (update >= 0.9 * updates) {
      lateLoss += loss
      late++
    }
  }
  return { model: modelOf(dataset, mlp, 'categorical'), metrics: { loss_policy: lateLoss / late, updates } }
}
