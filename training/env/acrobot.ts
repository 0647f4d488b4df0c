import { cos, PI, sin } from '../math.ts'
import { type ClassicEnvironment, classicEnvironment } from './classic.ts'
import { box, discrete } from './space.ts'

const STEP = 0.2
const LINK_1 = 1
const MASS_1 = 1
const MASS_2 = 1
/** Where the links' centres of mass lie. */
const CENTRE_1 = 0.5
const CENTRE_2 = 0.5
const INERTIA = 1
const GRAVITY = 9.8
const TOP_SPEED_1 = 4 * PI
const TOP_SPEED_2 = 9 * PI

/**
 * Returns Acrobot-v1: swing the tip of a two-link arm above the bar by a torque of -1 (0), 0 (1) or 1 (2) on its elbow.
 * Reward -1 a step, 0 on the last, at most 500 steps.
 *
 * State: both angles in rad (0 is hanging down) and their speeds in rad/s; one step of the classic Runge-Kutta method.
 *
 * @see Sutton and Barto 1998, section 11.3, whose equations these are; Gymnasium Acrobot-v1 for the constants
 */
export function acrobot(): ClassicEnvironment {
  return classicEnvironment({
    spec: {
      id: 'Acrobot-v1',
      observation: box([-1, -1, -1, -1, -TOP_SPEED_1, -TOP_SPEED_2], [1, 1, 1, 1, TOP_SPEED_1, TOP_SPEED_2]),
      action: discrete(3, ['torque -1', 'torque 0', 'torque 1']),
      maxSteps: 500,
      solvedAt: -100,
    },
    size: 4,
    begin(state, random) {
      // Gymnasium rounds this state, and no other, to 32 bits.
      for (let n = 0; n < 4; n++) state[n] = Math.fround(-0.1 + 0.2 * random.uniform())
    },
    advance(state, action) {
      const next = rungeKutta(state, action - 1)
      state[0] = wrap(next[0] as number)
      state[1] = wrap(next[1] as number)
      state[2] = Math.min(Math.max(next[2] as number, -TOP_SPEED_1), TOP_SPEED_1)
      state[3] = Math.min(Math.max(next[3] as number, -TOP_SPEED_2), TOP_SPEED_2)
      const terminated = -cos(state[0]) - cos(state[1] + state[0]) > 1
      return { reward: terminated ? 0 : -1, terminated }
    },
    observe: ([first = 0, second = 0, speed1 = 0, speed2 = 0]) =>
      Float32Array.of(cos(first), sin(first), cos(second), sin(second), speed1, speed2),
  })
}

function rungeKutta(y: Float64Array, torque: number): Float64Array {
  const half = STEP / 2
  const moved = (slope: Float64Array, by: number) => y.map((value, n) => value + by * (slope[n] as number))
  const k1 = slopeAt(y, torque)
  const k2 = slopeAt(moved(k1, half), torque)
  const k3 = slopeAt(moved(k2, half), torque)
  const k4 = slopeAt(moved(k3, STEP), torque)
  return y.map(
    (value, n) => value + (STEP / 6) * ((k1[n] as number) + 2 * (k2[n] as number) + 2 * (k3[n] as number) + (k4[n] as number)),
  )
}

function slopeAt([first = 0, second = 0, speed1 = 0, speed2 = 0]: Float64Array, torque: number): Float64Array {
  const cosine = cos(second)
  const sine = sin(second)
  const d1 =
    MASS_1 * CENTRE_1 * CENTRE_1 +
    MASS_2 * (LINK_1 * LINK_1 + CENTRE_2 * CENTRE_2 + 2 * LINK_1 * CENTRE_2 * cosine) +
    INERTIA +
    INERTIA
  const d2 = MASS_2 * (CENTRE_2 * CENTRE_2 + LINK_1 * CENTRE_2 * cosine) + INERTIA
  const phi2 = MASS_2 * CENTRE_2 * GRAVITY * cos(first + second - PI / 2)
  const phi1 =
    -MASS_2 * LINK_1 * CENTRE_2 * (speed2 * speed2) * sine -
    2 * MASS_2 * LINK_1 * CENTRE_2 * speed2 * speed1 * sine +
    (MASS_1 * CENTRE_1 + MASS_2 * LINK_1) * GRAVITY * cos(first - PI / 2) +
    phi2
  const faster2 =
    (torque + (d2 / d1) * phi1 - MASS_2 * LINK_1 * CENTRE_2 * (speed1 * speed1) * sine - phi2) /
    (MASS_2 * CENTRE_2 * CENTRE_2 + INERTIA - (d2 * d2) / d1)
  const faster1 = -(d2 * faster2 + phi1) / d1
  return Float64Array.of(speed1, speed2, faster1, faster2)
}

function wrap(angle: number): number {
  let x = angle
  while (x > PI) x -= 2 * PI
  while (x < -PI) x += 2 * PI
  return x
}
