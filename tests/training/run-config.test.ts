import { describe, expect, it } from 'vitest'
import { DQN_PRESETS, PPO_PRESETS } from '../../training/algo/presets.ts'
import { parseAnyTrainConfig } from '../../training/router/train/config.ts'
import { attemptOf, checkTrainConfig, parseTrainConfig, readRecipe, recipeNames } from '../../training/run/index.ts'
import { tiny } from './runs.ts'

const BASE = 'name: a\nalgorithm: ppo\nenvironment: CartPole-v1\n'

describe('a training configuration', () => {
  it.each([
    ['an unknown key', `${BASE}seads: 3\n`, 'unknown key "seads" (did you mean "seeds"?)'],
    [
      'an unknown setting',
      `${BASE}settings: { learningrate: 0.1 }\n`,
      'unknown key "settings.learningrate" (did you mean "learningRate"?)',
    ],
    ['a setting of another algorithm', `${BASE}settings: { bufferSize: 10 }\n`, 'unknown key "settings.bufferSize"'],
    [
      'a discount in percent',
      `${BASE}settings: { gamma: 99 }\n`,
      'settings.gamma: is a share from 0 to 1, e.g. 0.99, not percent',
    ],
    [
      'a step size of another unit',
      `${BASE}settings: { learningRate: 30 }\n`,
      'settings.learningRate: is below 1; a step size such as 0.0003',
    ],
    [
      'half an environment',
      `${BASE}settings: { environments: 1.5 }\n`,
      'settings.environments: is a whole number of environments',
    ],
    [
      'an impossible minibatch',
      `${BASE}settings: { environments: 8, rolloutSteps: 32, minibatch: 100 }\n`,
      'settings.minibatch: 100 does not divide a rollout of 8 x 32 = 256 steps; 128 does',
    ],
    [
      'a minibatch larger than the buffer',
      'name: a\nalgorithm: dqn\nenvironment: CartPole-v1\nsettings: { bufferSize: 10 }\n',
      'settings.minibatch: 64 transitions cannot be drawn from a buffer of 10',
    ],
    [
      'more to gather than the run has',
      'name: a\nalgorithm: dqn\nenvironment: CartPole-v1\nsettings: { learningStarts: 100000, totalSteps: 5000 }\n',
      'settings.learningStarts: 100000 steps are only gathered before learning begins, and the whole run has 5000',
    ],
    [
      'a wrong unit in one of several forms',
      'name: a\nalgorithm: ppo\nenvironment: { process: { command: [gym], timeoutMs: 30s } }\n',
      'environment.process.timeoutMs: expected a number, not "30s"',
    ],
    [
      'an unknown key in one of several forms',
      'name: a\nalgorithm: ppo\nenvironment: { process: { command: [gym], timeout: 30 } }\n',
      'unknown key "environment.process.timeout" (did you mean "timeoutMs"?)',
    ],
    [
      'an unknown rule',
      `${BASE}rules: [{ rule: threshhold, at: 3 }]\n`,
      'rules.0.rule: expected one of must-pass, threshold, non-inferiority, superiority, ratio, forbidden, seeds (did you mean "threshold"?)',
    ],
    ['a number that is none', `${BASE}settings: { gamma: .nan }\n`, 'settings.gamma: NaN is nothing it can be'],
    [
      'an environment that is none',
      'name: a\nalgorithm: ppo\nenvironment: 3\n',
      'environment: 3 is nothing it can be; its keys: process',
    ],
    ['an algorithm that is missing', 'name: a\nenvironment: CartPole-v1\n', 'algorithm is missing: expected one of ppo'],
    ['a name that is missing', 'algorithm: ppo\nenvironment: CartPole-v1\n', 'name is missing'],
    ['a limit of nothing', `${BASE}limits: { minutes: 0 }\n`, 'limits.minutes: has to be above 0, not 0'],
    ['an unknown algorithm', 'name: a\nalgorithm: pqo\nenvironment: CartPole-v1\n', '(did you mean "ppo"?)'],
    ['an unknown recipe', 'recipe: cart-pol\n', 'recipe: there is no recipe "cart-pol" (did you mean "cart-pole"?)'],
    [
      'episodes it also learns on',
      `${BASE}seed: 9\nseeds: 3\nevaluation: { seed: 10 }\n`,
      'evaluation.seed 10 is also a training seed',
    ],
    [
      'a best policy that is never looked for',
      `${BASE}evaluation: { keep: best }\n`,
      'evaluation.keep is best, and evaluation.everySteps says never to look',
    ],
    [
      'an unknown optimiser',
      `${BASE}settings: { optimiser: adem }\n`,
      'settings.optimiser.kind: expected one of adam, adamw, rmsprop, sgd (did you mean "adam"?)',
    ],
    [
      'an unknown option of an optimiser',
      `${BASE}settings: { optimiser: { kind: sgd, momentom: 0.9 } }\n`,
      'unknown key "settings.optimiser.momentom" (did you mean "momentum"?)',
    ],
    [
      'momentum where there is none',
      `${BASE}settings: { optimiser: { kind: adam, momentum: 0.9 } }\n`,
      'settings.optimiser.momentum: is nothing that adam has; rmsprop and sgd do',
    ],
    [
      'a momentum in percent',
      `${BASE}settings: { optimiser: { kind: sgd, momentum: 90 } }\n`,
      'settings.optimiser.momentum: is below 1',
    ],
    ['an optimiser that is a number', `${BASE}settings: { optimiser: 3 }\n`, 'settings.optimiser: is adam, adamw, rmsprop, sgd'],
    [
      'rewards cut to nothing',
      `${BASE}settings: { reward: { clip: [1, -1] } }\n`,
      'settings.reward.clip: leaves no room: the least comes first',
    ],
    ['rewards turned round', `${BASE}settings: { reward: { scale: -1 } }\n`, 'settings.reward.scale: is above 0'],
    [
      'minibatches that together do not divide a rollout',
      `${BASE}settings: { environments: 8, rolloutSteps: 32, minibatch: 64, accumulate: 3 }\n`,
      'settings.accumulate: 3 x 64 does not divide a rollout of 8 x 32 = 256 steps; 2 does',
    ],
    [
      'minibatches that together are larger than the buffer',
      'name: a\nalgorithm: dqn\nenvironment: CartPole-v1\nsettings: { bufferSize: 100, accumulate: 2 }\n',
      'settings.accumulate: 128 transitions cannot be drawn from a buffer of 100',
    ],
    [
      'minibatches of an algorithm that has none',
      'name: a\nalgorithm: reinforce\nenvironment: CartPole-v1\nsettings: { accumulate: 2 }\n',
      'unknown key "settings.accumulate"',
    ],
    [
      'a bound that is never looked for',
      `${BASE}evaluation: { stopAt: 475 }\n`,
      'evaluation.stopAt is 475, and evaluation.everySteps says never to look',
    ],
    [
      'patience without looks',
      `${BASE}evaluation: { patience: 3 }\n`,
      'evaluation.patience is 3, and evaluation.everySteps says never to look',
    ],
    [
      'no patience at all',
      `${BASE}evaluation: { everySteps: 1000, patience: 0 }\n`,
      'evaluation.patience: is a number of looks from 1',
    ],
    ['text that is not YAML', 'name: [\n', 'train.yaml'],
  ])('is refused for %s, by name', async (_, text, message) => {
    await expect(parseTrainConfig(text, 'train.yaml')).rejects.toThrow(message)
    await expect(parseTrainConfig(text, 'train.yaml')).rejects.toMatchObject({ kind: 'config' })
  })

  it('starts from a recipe, and what it says itself wins', async () => {
    const config = await parseTrainConfig('recipe: cart-pole\nname: mine\nsettings: { gamma: 0.9 }\n', 'train.yaml')
    const recipe = await parseTrainConfig(await readRecipe('cart-pole'), 'recipe')
    expect(config).toEqual({ ...recipe, name: 'mine', settings: { ...recipe.settings, gamma: 0.9 } })
  })

  it('changes by its list of retries with each attempt, and keeps the last', () => {
    const config = tiny({}, { retries: [{ gamma: 0.9 }, { gamma: 0.8 }] })
    expect([1, 2, 3, 4].map((attempt) => attemptOf(config, attempt, 'train.yaml').settings.gamma)).toEqual([0.99, 0.9, 0.8, 0.8])
  })

  it('is read back from itself unchanged, and an optimiser is the same by its name and by a name without options', () => {
    for (const config of [tiny(), tiny({ optimiser: 'sgd', accumulate: 1 }, { evaluation: { everySteps: 9, stopAt: 1 } })])
      expect(checkTrainConfig({ ...config }, 'train.yaml')).toEqual(config)
    expect(tiny({ optimiser: 'sgd' })).toEqual(tiny({ optimiser: { kind: 'sgd' } }))
  })
})

describe('the recipes', () => {
  it('are all valid', async () => {
    const names = await recipeNames()
    const configs = await Promise.all(names.map(async (name) => parseAnyTrainConfig(await readRecipe(name), name)))
    expect(names.map((name, index) => `${name}: ${configs[index]?.algorithm}`)).toEqual([
      'acrobot: ppo',
      'acrobot-dqn: dqn',
      'cart-pole: ppo',
      'cart-pole-dqn: dqn',
      'cart-pole-fast: ppo',
      'cart-pole-reinforce: reinforce',
      'cascade: cascade',
      'mountain-car: ppo',
      'mountain-car-dqn: dqn',
      'pendulum: dqn',
      'router: thompson',
    ])
  })

  it.each([
    ['cart-pole', PPO_PRESETS.cartPole],
    ['cart-pole-fast', PPO_PRESETS.cartPoleFast],
    ['acrobot', PPO_PRESETS.acrobot],
    ['mountain-car', PPO_PRESETS.mountainCar],
    ['cart-pole-dqn', DQN_PRESETS.cartPole],
    ['acrobot-dqn', DQN_PRESETS.acrobot],
    ['mountain-car-dqn', DQN_PRESETS.mountainCar],
    ['pendulum', DQN_PRESETS.pendulum],
  ])('%s has the settings that the throughput is measured with', async (name, preset) => {
    expect((await parseTrainConfig(await readRecipe(name), name)).settings).toEqual(preset)
  })
})
