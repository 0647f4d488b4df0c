import { ValuetrainError } from '../../core/errors.ts'
import { type Backend, padded } from '../backend/backend.ts'
import { jsBackend } from '../backend/js.ts'
import { wasmBackend, wasmWorks } from '../backend/wasm.ts'
import { sizeOf } from '../env/space.ts'
import type { Observation, Policy, PolicyModel, Random } from '../types.ts'
import { softmax } from './loss.ts'
import { Mlp, openParameters, parameterLength, shapeOf } from './mlp.ts'
import { normalise } from './normalise.ts'

/** A model ready for batches of observations. */
export interface Scorer {
  readonly actions: number
  /** Returns [rows x actions] scores, reused by the next call. @param observations [rows x observation size], rows up to the maximum */
  score(observations: ArrayLike<number>, rows: number): Float32Array
}

/**
 * Returns what computes a model's scores, on kernels where they work; every exact backend gives the same bits.
 *
 * @throws VT_NETWORK_SHAPE when the layers fit neither each other nor the spaces
 */
export function openScorer(model: PolicyModel, maxRows: number, backend?: Backend): Scorer {
  const shape = shapeOf(model.layers)
  const size = sizeOf(model.observation)
  if (shape.inputs !== size || shape.outputs !== model.action.n) {
    throw new ValuetrainError(
      'VT_NETWORK_SHAPE',
      `a network from ${shape.inputs} to ${shape.outputs} numbers does not fit ${size} observed ones and ${model.action.n} actions`,
      { hint: 'The model file is damaged or belongs to another environment.' },
    )
  }
  const used = backend ?? smallBackend(parameterLength(shape) * 3 + activationLength(model, maxRows))
  const network = new Mlp(used, shape, maxRows, openParameters(used, [shape]))
  network.load(model.layers)
  return {
    actions: shape.outputs,
    score(observations, rows) {
      if (model.normaliser === undefined) for (let n = 0; n < rows * size; n++) network.input[n] = observations[n] as number
      else normalise(model.normaliser, observations, rows, network.input)
      return network.forward(rows)
    },
  }
}

/** Returns a model as a policy that answers one observation at a time. */
export function policyOf(model: PolicyModel): Policy<number> {
  const scorer = openScorer(model, 1)
  const n = scorer.actions
  const probabilities = new Float64Array(n)
  return {
    act(observation: Observation, random: Random, greedy = false) {
      const logits = scorer.score(observation, 1).slice(0, n)
      if (greedy || model.head === 'greedy') return { action: largest(logits, 0, n), propensity: 1, logits }
      softmax(logits, 0, n, probabilities)
      const action = random.categorical(probabilities)
      return { action, propensity: probabilities[action] as number, logits }
    },
  }
}

/** Returns the index, from 0, of the largest of `count` numbers; the first one of equals. */
export function largest(values: ArrayLike<number>, from: number, count: number): number {
  let best = 0
  for (let n = 1; n < count; n++) if ((values[from + n] as number) > (values[from + best] as number)) best = n
  return best
}

function smallBackend(floats: number): Backend {
  return wasmWorks() ? wasmBackend(4 * floats + 65_536) : jsBackend()
}

function activationLength({ layers }: PolicyModel, rows: number): number {
  const widths = layers.reduce((sum, { inputs, outputs }) => sum + padded(rows * inputs) + 2 * padded(rows * outputs) + 12, 0)
  return widths
}
