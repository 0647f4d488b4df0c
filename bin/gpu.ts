import { readConfig } from '../core/config.ts'
import { readerOf } from '../core/reader.ts'
import { openProviders } from '../training/gpu/open.ts'
import type { GpuProvider } from '../training/gpu/provider.ts'
import type { Context } from './context.ts'
import { openTraining } from './training.ts'

/** What ssh needs of the user's environment besides what every program gets, to log in as the user does by hand. */
const SSH_ENV = ['SSH_AUTH_SOCK', 'USER', 'LOGNAME']

/** Opens the machines with graphics cards that this working tree's configuration names. */
export async function openGpu(context: Pick<Context, 'cwd' | 'env'>) {
  const place = await openTraining(context)
  const { config } = await readConfig(readerOf(place.root))
  const { gpu } = config.training
  const own = Object.fromEntries(SSH_ENV.flatMap((name) => (context.env[name] ? [[name, context.env[name] as string]] : [])))
  const options = { cwd: place.root, env: { ...place.env, ...own }, stateDir: place.stateDir }
  const providers: GpuProvider[] = openProviders(gpu, options)
  return { root: place.root, stateDir: place.stateDir, gpu, providers }
}
