import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import type { Environment } from '../types.ts'
import { acrobot } from './acrobot.ts'
import { cartPole } from './cart-pole.ts'
import { divided } from './divided.ts'
import { mountainCar } from './mountain-car.ts'
import { pendulum } from './pendulum.ts'

/** The environments that come with the package, by id. */
export const ENVIRONMENTS: Readonly<Record<string, () => Environment>> = {
  'CartPole-v1': cartPole,
  'Acrobot-v1': acrobot,
  'MountainCar-v0': mountainCar,
  'Pendulum-v1': pendulum,
}

/**
 * Returns a fresh environment. `Pendulum-v1/5` is Pendulum with its torque in five steps.
 *
 * @throws VT_ENV_UNKNOWN with the nearest id; VT_ENV_DIVIDE when the action cannot be divided so
 */
export function openEnvironment(id: string): Environment {
  const [, name = id, steps] = /^(.+)\/(\d+)$/.exec(id) ?? []
  const open = Object.hasOwn(ENVIRONMENTS, name) ? ENVIRONMENTS[name] : undefined
  if (open !== undefined) return steps === undefined ? open() : divided(open(), Number(steps))
  const known = Object.keys(ENVIRONMENTS)
  throw new ValuetrainError('VT_ENV_UNKNOWN', `there is no environment "${id}"${didYouMean(name, known)}`, {
    kind: 'config',
    hint: `Known ones: ${known.join(', ')}; another program's is attached with the environment \`process\`.`,
  })
}
