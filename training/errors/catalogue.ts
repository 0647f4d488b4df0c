/** What can go wrong in a run: a code, its cause in a sentence, and fixes in the order in which to try them. */
import type { TrainConfig } from '../run/config.ts'

/** A change of the configuration file. */
export interface Fix {
  /** What it does, as an order: "halve the learning rate". */
  does: string
  /** Values by dotted key of `train.yaml`; empty where the fix is not in the file. */
  patch: Readonly<Record<string, unknown>>
}

export interface CatalogueEntry {
  code: string
  title: string
  cause: string
  /** @param thrown whether it ended the run; what was only noticed is not as far gone */
  fixes(config: TrainConfig, thrown?: boolean): Fix[]
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    code: 'T101',
    title: 'diverged',
    cause: 'The steps are larger than what the losses can be trusted for.',
    fixes: (config, thrown = false) => [
      // Gradients are cut to a norm and steps are bounded by the optimiser: numbers end by what is added up, which is rewards.
      ...(thrown ? clippedRewards(config) : []),
      halfRate(config),
      ...(config.algorithm === 'ppo' && config.settings.targetKl === null
        ? [{ does: 'stop updates that move the policy too far', patch: { 'settings.targetKl': 0.02 } }]
        : []),
      ...(config.algorithm === 'ppo' && !config.settings.normaliseRewards
        ? [{ does: 'bring rewards to unit spread', patch: { 'settings.normaliseRewards': true } }]
        : []),
      { does: 'shorten the longest gradient', patch: { 'settings.maxGradientNorm': config.settings.maxGradientNorm / 2 } },
      ...(thrown ? [] : clippedRewards(config)),
    ],
  },
  {
    code: 'T102',
    title: 'exploration collapsed',
    cause: 'The policy became certain before it was good, so nothing new is tried any more.',
    fixes: (config) => [
      ...(config.algorithm === 'dqn'
        ? [
            {
              does: 'explore for longer',
              patch: { 'settings.exploration': { kind: 'linear', from: 1, to: 0.1, over: 0.5 } },
            },
          ]
        : [
            {
              does: 'reward entropy',
              patch: { 'settings.entropyBonus': config.settings.entropyBonus === 0 ? 0.01 : 2 * config.settings.entropyBonus },
            },
          ]),
      halfRate(config),
    ],
  },
  {
    code: 'T103',
    title: 'no learning signal',
    cause: 'Every episode returned the same, so no action looks better than another.',
    fixes: (config) => [
      ...(config.algorithm === 'dqn'
        ? [
            {
              does: 'gather more before learning begins',
              patch: { 'settings.learningStarts': moreGathered(config.settings) },
            },
          ]
        : [{ does: 'reward entropy, so that something else happens at all', patch: { 'settings.entropyBonus': 0.02 } }]),
      { does: 'step more environments side by side', patch: morePlaces(config) },
      { does: 'give credit for partial success in the environment, or leave out cases that are solved or hopeless', patch: {} },
    ],
  },
  {
    code: 'T104',
    title: 'reward missing',
    cause: 'The environment answered a step without a finite reward; it is never counted as 0.',
    fixes: () => [{ does: 'mend the environment or its grader, so that every step has a finite reward', patch: {} }],
  },
  {
    code: 'T105',
    title: 'reward hacking suspected',
    cause: 'The training return rises while held-out episodes do not follow.',
    fixes: (config) => [
      { does: 'stop earlier', patch: { 'settings.totalSteps': Math.max(1, Math.floor(config.settings.totalSteps / 2)) } },
      { does: 'look at the episodes and mend the reward', patch: {} },
    ],
  },
  {
    code: 'T201',
    title: 'out of memory',
    cause: 'Batches or layers do not fit into the memory of the backend or of the machine.',
    fixes: (config) => {
      const batches = [
        ...(config.algorithm === 'reinforce'
          ? []
          : [{ does: 'halve the minibatch', patch: { 'settings.minibatch': half(config.settings.minibatch) } }]),
        ...(config.algorithm === 'dqn'
          ? [{ does: 'halve the replay buffer', patch: { 'settings.bufferSize': half(config.settings.bufferSize) } }]
          : []),
      ]
      const layers = { does: 'halve the layers', patch: { 'settings.hidden': config.settings.hidden.map(half) } }
      return fillsByLayers(config) ? [layers, ...batches] : [...batches, layers]
    },
  },
  {
    code: 'T202',
    title: 'out of memory on the graphics card',
    cause: 'Weights, batch and cache together are more than the card holds.',
    fixes: (config) => [
      ...(config.algorithm === 'reinforce'
        ? []
        : [{ does: 'halve the minibatch', patch: { 'settings.minibatch': half(config.settings.minibatch) } }]),
      { does: 'halve the layers', patch: { 'settings.hidden': config.settings.hidden.map(half) } },
      {
        does: 'with a trainer of its own: half the micro-batch and twice the accumulation, 0.3 to 0.5 of the memory for vLLM, a shorter context, gradient checkpointing',
        patch: {},
      },
      { does: 'take a card with more memory', patch: {} },
    ],
  },
  {
    code: 'T203',
    title: 'stalled',
    cause: 'The environment did not answer in time.',
    fixes: (config) =>
      typeof config.environment === 'string' || 'outcomes' in config.environment
        ? []
        : [
            {
              does: 'allow answers twice the time',
              patch: { 'environment.process.timeoutMs': 2 * config.environment.process.timeoutMs },
            },
            { does: 'run the program by hand and look at its standard error', patch: {} },
          ],
  },
  {
    code: 'T301',
    title: 'data of another type',
    cause: 'A data file has a row or a column that cannot be read.',
    fixes: () => [{ does: 'mend the named row', patch: {} }],
  },
  {
    code: 'T302',
    title: 'leakage',
    cause: 'What is measured on was learned from, or the answer stands among the questions.',
    fixes: () => [{ does: 'drop the named rows or the named column from what is learned from', patch: {} }],
  },
  {
    code: 'T303',
    title: 'too few rows',
    cause: 'A class, or the whole file, is too small to be learned and to be measured.',
    fixes: () => [
      { does: 'gather more rows of the named class', patch: {} },
      { does: 'weigh classes by their inverse share, or leave the rare one to a person', patch: {} },
    ],
  },
  {
    code: 'T401',
    title: 'provider refuses the key',
    cause: 'The provider of machines did not take the key, or the key may not do this.',
    fixes: () => [{ does: 'put a key that may launch machines into the variable that the provider reads', patch: {} }],
  },
  {
    code: 'T402',
    title: 'no capacity',
    cause: 'The provider has no machine of this kind now.',
    fixes: (config) => [
      { does: 'take the next best offer, another region, or wait', patch: {} },
      { does: 'train half as long on what there is', patch: { 'settings.totalSteps': half(config.settings.totalSteps) } },
    ],
  },
  {
    code: 'T403',
    title: 'over the quota',
    cause: 'The account may not have more machines of this kind.',
    fixes: () => [
      { does: 'end machines that nobody uses with `valuetrain gpu reap`, or ask the provider for a higher quota', patch: {} },
    ],
  },
  {
    code: 'T404',
    title: 'machine lost',
    cause: 'The provider took the machine back, or it died; what came after the last checkpoint is gone.',
    fixes: (config) => [
      { does: 'go on from the last checkpoint with `valuetrain train --resume RUN`', patch: {} },
      {
        does: 'checkpoint twice as often',
        patch: { checkpointSteps: half(config.checkpointSteps ?? Math.ceil(config.settings.totalSteps / 10)) },
      },
    ],
  },
  {
    code: 'T405',
    title: 'stray machine',
    cause: 'A machine that carries our mark belongs to no run that is at work, and costs money.',
    fixes: () => [{ does: 'end it with `valuetrain gpu reap`', patch: {} }],
  },
  {
    code: 'T406',
    title: 'over budget',
    cause: 'The run has used the time or the money its configuration allows.',
    fixes: (config) => [
      ...(config.limits.minutes === null
        ? []
        : [{ does: 'allow twice the time', patch: { 'limits.minutes': 2 * config.limits.minutes } }]),
      ...(config.limits.usd === null ? [] : [{ does: 'allow twice the money', patch: { 'limits.usd': 2 * config.limits.usd } }]),
      { does: 'train half as long', patch: { 'settings.totalSteps': Math.max(1, Math.floor(config.settings.totalSteps / 2)) } },
    ],
  },
  {
    code: 'T501',
    title: 'judge contradicts itself',
    cause: 'The same answer judged twice got two verdicts too often, so scores are partly noise.',
    fixes: () => [
      { does: 'judge each answer several times and take the majority', patch: {} },
      { does: 'grade by reference answers, tests or exact rules instead', patch: {} },
    ],
  },
  {
    code: 'T502',
    title: 'flaky case',
    cause: 'The same policy and the same seed gave another outcome.',
    fixes: () => [{ does: 'make the environment answer the same to the same seed, or leave the case out', patch: {} }],
  },
  {
    code: 'T601',
    title: 'token drift',
    cause: 'A prompt does not go on from the prompt and response before it, so their tokens are no one sample.',
    fixes: () => [
      { does: 'split the sample where it drifts, and report how often', patch: {} },
      { does: 'send token ids instead of text, or pin the chat template', patch: {} },
    ],
  },
  {
    code: 'T701',
    title: 'not reproducible',
    cause: 'The same inputs gave other bytes: something outside the hash moves the run.',
    fixes: () => [
      { does: 'name every file the run reads under `data`, and seed every random draw of the environment', patch: {} },
    ],
  },
]

/** Returns an entry. */
export function entryOf(code: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.code === code)
}

function halfRate({ settings: { learningRate } }: TrainConfig): Fix {
  const halved =
    typeof learningRate === 'number'
      ? learningRate / 2
      : learningRate.kind === 'warmup'
        ? { ...learningRate, peak: learningRate.peak / 2 }
        : { ...learningRate, from: learningRate.from / 2, to: learningRate.to / 2 }
  return { does: 'halve the learning rate', patch: { 'settings.learningRate': halved } }
}

function clippedRewards({ settings: { reward } }: TrainConfig): Fix[] {
  if (reward?.clip !== undefined) return []
  return [{ does: 'clip what is learned from to [-1, 1]', patch: { 'settings.reward': { ...reward, clip: [-1, 1] } } }]
}

/** Whether weights, and two moments for each, take more than what a batch leaves behind in them. */
function fillsByLayers(config: TrainConfig): boolean {
  const { hidden } = config.settings
  const weights = hidden.reduce((sum, width, n) => sum + width * (hidden[n - 1] ?? 1), 0)
  const width = hidden.reduce((sum, units) => sum + units, 0)
  return 3 * weights > (config.algorithm === 'reinforce' ? 1 : config.settings.minibatch) * width
}

/** Ten times as much; where that leaves too little of the run to learn in, half the way from what it is to the end. */
function moreGathered({ learningStarts, totalSteps }: { learningStarts: number; totalSteps: number }): number {
  const more = 10 * Math.max(1, learningStarts)
  return more < totalSteps / 2 ? more : Math.floor((learningStarts + totalSteps) / 2)
}

function morePlaces({ settings: { environments } }: TrainConfig): Fix['patch'] {
  return { 'settings.environments': 2 * environments }
}

function half(value: number): number {
  return Math.max(1, Math.floor(value / 2))
}
