import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import type { Environment } from '../types.ts'
import { acrobot } from './acrobot.ts'
import { cartPole } from './cart-pole.ts'
import { mountainCar } from './mountain-car.ts'
import { pendulum } from './pendulum.ts'

/** The environments that come with the package, by id. */
export const ENVIRONMENTS: Readonly<Record<string, () => Environment>> = {
  'CartPole-v1': cartPole,
  'Acrobot-v1': acrobot,
  'MountainCar-v0': mountainCar,
  'Pendulum-v1': pendulum,
}

/** Returns a fresh environment. @throws VT_ENV_UNKNOWN with the nearest id */
export function openEnvironment(id: string): Environment {
  const open = Object.hasOwn(ENVIRONMENTS, id) ? ENVIRONMENTS[id] : undefined
  if (open !== undefined) return open()
  const known = Object.keys(ENVIRONMENTS)
  throw new ValuetrainError('VT_ENV_UNKNOWN', `there is no environment "${id}"${didYouMean(id, known)}`, {
    kind: 'config',
    hint: `Known ones: ${known.join(', ')}; another program's is attached with the environment \`process\`.`,
  })
}
