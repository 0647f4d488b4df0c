import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acrobot } from '../../training/env/acrobot.ts'
import { cartPole } from '../../training/env/cart-pole.ts'
import type { ClassicEnvironment } from '../../training/env/classic.ts'
import { mountainCar } from '../../training/env/mountain-car.ts'
import { pendulum } from '../../training/env/pendulum.ts'
import { ENVIRONMENTS, openEnvironment } from '../../training/env/registry.ts'
import { sample } from '../../training/env/space.ts'
import { vectorise } from '../../training/env/vector.ts'
import { randomFrom } from '../../training/random.ts'
import type { Action } from '../../training/types.ts'
import { tell } from './simulate.ts'

type Recorded = [state: number[], action: number, next: number[], observation: number[], reward: number, terminated: boolean]

const fixture = JSON.parse(await readFile(new URL('fixtures/gymnasium.json', import.meta.url), 'utf8')) as {
  source: { package: string; version: string }
  steps: Record<string, Recorded[]>
}
const trajectories = readTrajectories(
  gunzipSync(await readFile(new URL('fixtures/gymnasium-trajectories.bin.gz', import.meta.url))),
)
/**
 * Steps of an episode over which a problem that is left to itself stays within 1e-9. The acrobot is chaotic: it takes a
 * last bit, which two programs' sines differ by, to that size within 200 steps. The others are followed to every end.
 */
const FOLLOWED: Record<string, number> = { 'Acrobot-v1': 150 }
const CLASSIC: Record<string, () => ClassicEnvironment> = {
  'CartPole-v1': cartPole,
  'Acrobot-v1': acrobot,
  'MountainCar-v0': mountainCar,
  'Pendulum-v1': pendulum,
}
/** An interpreter that has gymnasium, for the long comparison. */
const PYTHON = process.env.VALUETRAIN_GYMNASIUM

describe.each(Object.keys(CLASSIC))('%s', (id) => {
  const open = CLASSIC[id] as () => ClassicEnvironment
  const act = (action: number): Action => (id === 'Pendulum-v1' ? [action] : action)

  it(`steps like Gymnasium ${fixture.source.version} within 1e-9, from states all over its space`, () => {
    const recorded = fixture.steps[id] as Recorded[]
    expect(recorded.length).toBeGreaterThanOrEqual(60)
    expect(worstDifference(open, recorded)).toBeLessThan(1e-9)
  })

  it(`takes the same 10,000 steps as Gymnasium ${trajectories.source.version} from its states, and alone, within 1e-9`, () => {
    const { size, starts, rows } = trajectories.problems[id] as Trajectory
    const followed = FOLLOWED[id] ?? Number.POSITIVE_INFINITY
    const [step, alone] = [open(), open()]
    const worst = { step: 0, alone: 0 }
    let [episode, length] = [0, 0]
    let before: ArrayLike<number> = []
    for (const row of rows) {
      if (row[0] === 1) {
        length = 0
        before = starts[episode++] as number[]
        alone.place(before)
      }
      const [action = 0, after, reward = 0, terminated] = [row[1], row.subarray(2, 2 + size), row[2 + size], row[3 + size] === 1]
      const difference = (environment: ClassicEnvironment) => {
        const answer = environment.step(act(action))
        const apart = environment.numbers().map((value, n) => Math.abs(value - (after[n] as number)))
        return Math.max(...apart, Math.abs(answer.reward - reward), answer.terminated === terminated ? 0 : 1)
      }
      step.place(before)
      worst.step = Math.max(worst.step, difference(step))
      if (++length <= followed) worst.alone = Math.max(worst.alone, difference(alone))
      before = after
    }
    expect([rows.length, episode]).toEqual([10_000, starts.length])
    tell(
      `G5 ${id}: ${rows.length} steps in ${starts.length} episodes, largest difference a step ${worst.step.toExponential(1)},` +
        ` left alone ${worst.alone.toExponential(1)}${id in FOLLOWED ? ` in the first ${followed} steps of an episode` : ''}`,
    )
    expect(worst.step).toBeLessThanOrEqual(1e-9)
    expect(worst.alone).toBeLessThanOrEqual(1e-9)
  })

  it('begins the same episode with the same seed, and another with another', () => {
    const [a, b] = [open(), open()]
    expect([...a.reset(7)]).toEqual([...b.reset(7)])
    expect([...a.reset(8)]).not.toEqual([...b.reset(7)])
  })

  it('goes on exactly from a saved state', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), fc.integer({ min: 0, max: 60 }), (seed, lead) => {
        const random = randomFrom(seed)
        const environment = open()
        environment.reset(seed)
        let over = false
        for (let n = 0; n < lead && !over; n++) {
          const { terminated, truncated } = environment.step(sample(environment.spec.action, random))
          over = terminated || truncated
        }
        const other = open()
        other.restore(JSON.parse(JSON.stringify(environment.state())))
        if (over) {
          expect(() => other.step(act(0))).toThrowError(expect.objectContaining({ code: 'VT_ENV_ENDED' }))
          return
        }
        const action = sample(environment.spec.action, random)
        expect(other.step(action)).toEqual(environment.step(action))
        expect([...other.numbers()].map(String)).toEqual([...environment.numbers()].map(String))
      }),
      { numRuns: 40 },
    )
  })

  it('cuts an episode off at its limit', () => {
    const environment = open()
    environment.reset(1)
    // Standing still reaches no goal; only CartPole falls, and is held by alternating pushes from a quiet state.
    environment.place(new Float64Array(environment.numbers().length))
    let steps = 0
    for (;;) {
      const still = id === 'CartPole-v1' ? balance(environment) : id === 'Pendulum-v1' ? 0 : 1
      const { terminated, truncated } = environment.step(act(still))
      steps++
      expect(terminated).toBe(false)
      if (truncated) break
    }
    expect(steps).toBe(environment.spec.maxSteps)
  })

  it.runIf(PYTHON !== undefined)('steps like the installed Gymnasium 10,000 times', async () => {
    const script = fileURLToPath(new URL('fixtures/record_gymnasium.py', import.meta.url))
    const { stdout } = await promisify(execFile)(PYTHON as string, [script, '10000'], { maxBuffer: 2 ** 28 })
    const recorded = (JSON.parse(stdout) as typeof fixture).steps[id] as Recorded[]
    expect(recorded.length).toBe(10_000)
    expect(worstDifference(open, recorded)).toBeLessThan(1e-9)
  })
})

interface Trajectory {
  /** Numbers in the state. */
  size: number
  /** The states the episodes began with. */
  starts: number[][]
  /** A step each: 1 where an episode begins, the action, the state after it, the reward, 1 where the episode ended. */
  rows: Float64Array[]
}

/** Reads what record_trajectories.py writes. */
function readTrajectories(bytes: Buffer): { source: typeof fixture.source; problems: Record<string, Trajectory> } {
  const end = bytes.indexOf('\n')
  const { source, problems } = JSON.parse(bytes.toString('utf8', 0, end)) as {
    source: typeof fixture.source
    problems: Record<string, { rows: number; width: number; starts: number[][] }>
  }
  let at = end + 1
  const read = Object.entries(problems).map(([id, { rows, width, starts }]): [string, Trajectory] => {
    const count = rows * width
    const columns = new Float64Array(count)
    const plain = new Uint8Array(columns.buffer)
    for (let place = 0; place < 8; place++) {
      for (let n = 0; n < count; n++) plain[8 * n + place] = bytes[at + place * count + n] as number
    }
    at += 8 * count
    const row = (n: number) => Float64Array.from({ length: width }, (_, column) => columns[column * rows + n] as number)
    return [id, { size: width - 4, starts, rows: Array.from({ length: rows }, (_, n) => row(n)) }]
  })
  expect(at).toBe(bytes.length)
  return { source, problems: Object.fromEntries(read) }
}

/** Returns the largest difference of any number; an episode that ends on one side only counts as 1. */
function worstDifference(open: () => ClassicEnvironment, recorded: readonly Recorded[]): number {
  let worst = 0
  for (const [state, action, next, observation, reward, terminated] of recorded) {
    const environment = open()
    environment.place(state)
    const answer = environment.step(environment.spec.action.kind === 'box' ? [action] : action)
    const apart = [
      ...next.map((value, n) => value - (environment.numbers()[n] as number)),
      // Both sides round observations to 32 bits; where the last bit before that differs, the rounding may tip.
      ...observation.map((value, n) =>
        Math.max(0, Math.abs(value - (answer.observation[n] as number)) - Math.abs(value) * 1.2e-7),
      ),
      reward - answer.reward,
      answer.terminated === terminated ? 0 : 1,
    ]
    worst = Math.max(worst, ...apart.map(Math.abs))
  }
  return worst
}

/** A hand-made controller: push to the side to which the pole leans and moves. */
function balance(environment: ClassicEnvironment): number {
  const [place = 0, speed = 0, angle = 0, turning = 0] = environment.numbers()
  return angle + 0.5 * turning + 0.02 * place + 0.05 * speed > 0 ? 1 : 0
}

describe('the equations', () => {
  it('of the pendulum keep its energy to the order of the step when no torque acts', () => {
    const environment = pendulum()
    environment.place([2, 0])
    const energy = ([angle = 0, turning = 0]: Float64Array) => (turning * turning) / 6 + 5 * Math.cos(angle)
    const before = energy(environment.numbers())
    for (let n = 0; n < 100; n++) {
      environment.step([0])
      expect(Math.abs(energy(environment.numbers()) - before)).toBeLessThan(1)
    }
  })

  it('of the acrobot keep its energy without torque, which Runge-Kutta does to the fourth order', () => {
    // Independent of the accelerations: kinetic and potential energy of two links, straight from their centres of mass.
    const energy = ([a = 0, b = 0, da = 0, db = 0]: Float64Array) => {
      const x1 = 0.5 * da
      const vx = Math.cos(a) * da + 0.5 * Math.cos(a + b) * (da + db)
      const vy = Math.sin(a) * da + 0.5 * Math.sin(a + b) * (da + db)
      const kinetic = 0.5 * x1 * x1 + 0.5 * (vx * vx + vy * vy) + 0.5 * da * da + 0.5 * (da + db) * (da + db)
      return kinetic + 9.8 * (-0.5 * Math.cos(a)) + 9.8 * (-Math.cos(a) - 0.5 * Math.cos(a + b))
    }
    const environment = acrobot()
    environment.place([0.6, -0.4, 0, 0])
    const before = energy(environment.numbers())
    for (let n = 0; n < 50; n++) {
      environment.step(1)
      expect(Math.abs(energy(environment.numbers()) - before)).toBeLessThan(0.05)
    }
  })
})

describe('spaces and the registry', () => {
  it('refuse actions from outside', () => {
    const environment = cartPole()
    environment.reset(1)
    for (const action of [-1, 2, 0.5, Number.NaN, [1]]) {
      expect(() => environment.step(action)).toThrowError(expect.objectContaining({ code: 'VT_ENV_ACTION' }))
    }
  })

  it('name the nearest environment', () => {
    expect(() => openEnvironment('CartPol-v1')).toThrowError(/did you mean "CartPole-v1"/)
    expect(() => openEnvironment('constructor')).toThrowError(expect.objectContaining({ code: 'VT_ENV_UNKNOWN' }))
    expect(Object.keys(ENVIRONMENTS).map((id) => openEnvironment(id).spec.id)).toEqual(Object.keys(ENVIRONMENTS))
  })

  it('refuse a saved state that is not one', () => {
    for (const state of [
      null,
      {},
      { numbers: [1, 2], steps: 0, running: true },
      { numbers: [1, 2, 3, null], steps: 0, running: true },
    ]) {
      expect(() => cartPole().restore(state)).toThrowError(expect.objectContaining({ code: 'VT_ENV_STATE' }))
    }
  })
})

describe('an environment whose action is divided', () => {
  it('takes the bounds and what lies evenly between them', () => {
    const whole = pendulum()
    const parts = openEnvironment('Pendulum-v1/5')
    expect(parts.spec).toMatchObject({
      id: 'Pendulum-v1/5',
      action: { kind: 'discrete', n: 5, names: ['-2', '-1', '0', '1', '2'] },
    })
    for (let n = 0; n < 5; n++) {
      whole.reset(n)
      parts.reset(n)
      expect(parts.step(n)).toEqual(whole.step([n - 2]))
      expect(parts.state()).toEqual(whole.state())
    }
  })

  it('is refused for numbered actions, for fewer than two steps and for what there is not', () => {
    const refused = (code: string) => expect.objectContaining({ code, kind: 'config' })
    expect(() => openEnvironment('CartPole-v1/2')).toThrowError(refused('VT_ENV_DIVIDE'))
    expect(() => openEnvironment('Pendulum-v1/1')).toThrowError(refused('VT_ENV_DIVIDE'))
    expect(() => openEnvironment('Pendulun-v1/5')).toThrowError(/did you mean "Pendulum-v1"/)
  })
})

describe('vectorised environments', () => {
  const step = (environment: ReturnType<typeof vectorise>, actions: number[]) => {
    const answer = environment.step(actions)
    if (answer instanceof Promise) throw new Error('answered later')
    return answer
  }

  it('step like each alone, begin anew after an end, and tell whole returns', () => {
    const vector = vectorise(cartPole, 3)
    vector.reset(4)
    const returns: number[] = []
    let total = 0
    const random = randomFrom(2)
    while (returns.length < 30) {
      const answer = step(vector, [random.below(2), random.below(2), 0])
      total += answer.rewards.reduce((sum, reward) => sum + reward, 0)
      for (const episode of answer.finished) {
        expect(episode.length).toBe(episode.return)
        expect(answer.terminated[episode.index]).toBe(1)
        const shown = answer.observations.subarray(4 * episode.index, 4 * episode.index + 4)
        const last = answer.finalObservations.subarray(4 * episode.index, 4 * episode.index + 4)
        expect(Math.max(...shown.map(Math.abs))).toBeLessThan(0.05)
        expect([...last]).not.toEqual([...shown])
        returns.push(episode.return)
      }
    }
    const unfinished = (vector.state() as { returns: number[] }).returns.reduce((sum, value) => sum + value, 0)
    expect(returns.reduce((sum, value) => sum + value, 0) + unfinished).toBe(total)
  })

  it('go on exactly from a saved state', () => {
    const vector = vectorise(cartPole, 2)
    vector.reset(9)
    const random = randomFrom(3)
    for (let n = 0; n < 37; n++) step(vector, [random.below(2), random.below(2)])
    const other = vectorise(cartPole, 2)
    other.restore(JSON.parse(JSON.stringify(vector.state())))
    for (let n = 0; n < 100; n++) {
      const actions = [random.below(2), random.below(2)]
      const [a, b] = [step(vector, actions), step(other, actions)]
      expect([...b.observations]).toEqual([...a.observations])
      expect(b.finished).toEqual(a.finished)
    }
  })

  it('refuse what is not a number, and name it', () => {
    const broken = (observation: number[], reward: number) => {
      const inner = cartPole()
      return vectorise(
        () => ({ ...inner, step: () => ({ ...inner.step(0), observation: Float32Array.from(observation), reward }) }),
        1,
      )
    }
    const codeOf = (observation: number[], reward: number) => {
      const vector = broken(observation, reward)
      vector.reset(1)
      try {
        step(vector, [0])
        return 'taken'
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(codeOf([0, 0, 0, 0], 1)).toBe('taken')
    expect(codeOf([0, Number.NaN, 0, 0], 1)).toBe('VT_ENV_OBSERVATION')
    expect(codeOf([0, Number.POSITIVE_INFINITY, 0, 0], 1)).toBe('VT_ENV_OBSERVATION')
    expect(codeOf([0, 0, 0], 1)).toBe('VT_ENV_SHAPE')
    expect(codeOf([0, 0, 0, 0], Number.NaN)).toBe('VT_ENV_REWARD')
  })
})
