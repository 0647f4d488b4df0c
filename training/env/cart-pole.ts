import { cos, PI, sin } from '../math.ts'
import type { ClassicEnvironment } from './classic.ts'
import { classicEnvironment } from './classic.ts'
import { box, discrete } from './space.ts'

const GRAVITY = 9.8
const CART_MASS = 1
const POLE_MASS = 0.1
const TOTAL_MASS = POLE_MASS + CART_MASS
/** Half the pole's length, metres. */
const HALF_LENGTH = 0.5
const MOMENT = POLE_MASS * HALF_LENGTH
/** Newtons. */
const FORCE = 10
/** Seconds between steps. */
const STEP = 0.02
const ANGLE_LIMIT = (12 * 2 * PI) / 360
const PLACE_LIMIT = 2.4

/**
 * Returns CartPole-v1: keep a pole upright on a cart by pushing it left (0) or right (1). Reward 1 a step, at most 500.
 *
 * State: place in m, speed in m/s, angle in rad, angular speed in rad/s; explicit Euler.
 *
 * @see Barto, Sutton and Anderson 1983; Florian 2007 for the equations; Gymnasium CartPole-v1 for the constants
 */
export function cartPole(): ClassicEnvironment {
  return classicEnvironment({
    spec: {
      id: 'CartPole-v1',
      observation: box(
        [-2 * PLACE_LIMIT, Number.NEGATIVE_INFINITY, -2 * ANGLE_LIMIT, Number.NEGATIVE_INFINITY],
        [2 * PLACE_LIMIT, Number.POSITIVE_INFINITY, 2 * ANGLE_LIMIT, Number.POSITIVE_INFINITY],
      ),
      action: discrete(2, ['left', 'right']),
      maxSteps: 500,
      solvedAt: 475,
    },
    size: 4,
    begin(state, random) {
      for (let n = 0; n < 4; n++) state[n] = -0.05 + 0.1 * random.uniform()
    },
    advance(state, action) {
      const [place = 0, speed = 0, angle = 0, turning = 0] = state
      const force = action === 1 ? FORCE : -FORCE
      const cosine = cos(angle)
      const sine = sin(angle)
      const common = (force + MOMENT * (turning * turning) * sine) / TOTAL_MASS
      const turn = (GRAVITY * sine - cosine * common) / (HALF_LENGTH * (4 / 3 - (POLE_MASS * (cosine * cosine)) / TOTAL_MASS))
      const push = common - (MOMENT * turn * cosine) / TOTAL_MASS
      state[0] = place + STEP * speed
      state[1] = speed + STEP * push
      state[2] = angle + STEP * turning
      state[3] = turning + STEP * turn
      const terminated = Math.abs(state[0]) > PLACE_LIMIT || Math.abs(state[2]) > ANGLE_LIMIT
      return { reward: 1, terminated }
    },
    observe: (state) => new Float32Array(state),
  })
}
