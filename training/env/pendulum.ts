import { cos, PI, sin } from '../math.ts'
import { type ClassicEnvironment, classicEnvironment } from './classic.ts'
import { box } from './space.ts'

const TOP_SPEED = 8
const TOP_TORQUE = 2
const STEP = 0.05
const GRAVITY = 10
const MASS = 1
const LENGTH = 1

/**
 * Returns Pendulum-v1: swing a pendulum up and hold it with a torque in [-2, 2]. The reward is minus the cost of angle,
 * speed and torque; 200 steps, no other end.
 *
 * State: angle in rad (0 is up, not wrapped), angular speed in rad/s.
 *
 * @see Gymnasium Pendulum-v1
 */
export function pendulum(): ClassicEnvironment {
  return classicEnvironment({
    spec: {
      id: 'Pendulum-v1',
      observation: box([-1, -1, -TOP_SPEED], [1, 1, TOP_SPEED]),
      action: box([-TOP_TORQUE], [TOP_TORQUE]),
      maxSteps: 200,
    },
    size: 2,
    begin(state, random) {
      state[0] = PI * (2 * random.uniform() - 1)
      state[1] = 2 * random.uniform() - 1
    },
    advance(state, action) {
      const [angle = 0, turning = 0] = state
      const torque = Math.min(Math.max(action, -TOP_TORQUE), TOP_TORQUE)
      const apart = wrapped(angle)
      const cost = apart * apart + 0.1 * (turning * turning) + 0.001 * (torque * torque)
      const faster = turning + (((3 * GRAVITY) / (2 * LENGTH)) * sin(angle) + (3 / (MASS * LENGTH * LENGTH)) * torque) * STEP
      const next = Math.min(Math.max(faster, -TOP_SPEED), TOP_SPEED)
      state[1] = next
      state[0] = angle + next * STEP
      return { reward: -cost, terminated: false }
    },
    observe: ([angle = 0, turning = 0]) => Float32Array.of(cos(angle), sin(angle), turning),
  })
}

/** The angle in [-pi, pi). */
function wrapped(angle: number): number {
  const turns = (angle + PI) % (2 * PI)
  return (turns < 0 ? turns + 2 * PI : turns) - PI
}
