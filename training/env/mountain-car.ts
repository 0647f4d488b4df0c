import { cos } from '../math.ts'
import { type ClassicEnvironment, classicEnvironment } from './classic.ts'
import { box, discrete } from './space.ts'

const LEFT_END = -1.2
const RIGHT_END = 0.6
const TOP_SPEED = 0.07
const GOAL = 0.5
const FORCE = 0.001
const GRAVITY = 0.0025

/**
 * Returns MountainCar-v0: rock an underpowered car out of a valley by pushing left (0), not (1) or right (2). Reward -1
 * a step until the goal, at most 200 steps.
 *
 * @see Moore 1990; Gymnasium MountainCar-v0 for the constants
 */
export function mountainCar(): ClassicEnvironment {
  return classicEnvironment({
    spec: {
      id: 'MountainCar-v0',
      observation: box([LEFT_END, -TOP_SPEED], [RIGHT_END, TOP_SPEED]),
      action: discrete(3, ['left', 'none', 'right']),
      maxSteps: 200,
      solvedAt: -110,
    },
    size: 2,
    begin(state, random) {
      state[0] = -0.6 + 0.2 * random.uniform()
      state[1] = 0
    },
    advance(state, action) {
      const [place = 0, speed = 0] = state
      let faster = speed + ((action - 1) * FORCE + cos(3 * place) * -GRAVITY)
      faster = Math.min(Math.max(faster, -TOP_SPEED), TOP_SPEED)
      const next = Math.min(Math.max(place + faster, LEFT_END), RIGHT_END)
      if (next === LEFT_END && faster < 0) faster = 0
      state[0] = next
      state[1] = faster
      return { reward: -1, terminated: next >= GOAL && faster >= 0 }
    },
    observe: (state) => new Float32Array(state),
  })
}
