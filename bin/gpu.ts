import { readFile, stat } from 'node:fs/promises'
import { relative, resolve } from 'node:path'
import { canonicalJson } from '../core/canonical.ts'
import { type Config, readConfig } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { isInside } from '../core/files.ts'
import { readerOf } from '../core/reader.ts'
import { resolveCommit } from '../core/tree.ts'
import { openProviders } from '../training/gpu/open.ts'
import type { GpuProvider } from '../training/gpu/provider.ts'
import type { Context } from './context.ts'
import { openTraining, type TrainingPlace } from './training.ts'

/** What ssh needs of the user's environment besides what every program gets, to log in as the user does by hand. */
const SSH_ENV = ['SSH_AUTH_SOCK', 'USER', 'LOGNAME']

/** Opens the machines with graphics cards that this working tree's configuration names. */
export async function openGpu(context: Pick<Context, 'cwd' | 'env'>) {
  const place = await openTraining(context)
  const { config } = await readConfig(readerOf(place.root))
  const { gpu } = config.training
  const own = Object.fromEntries(SSH_ENV.flatMap((name) => (context.env[name] ? [[name, context.env[name] as string]] : [])))
  const options = { cwd: place.root, env: { ...place.env, ...own }, stateDir: place.stateDir }
  const providers: GpuProvider[] = openProviders(gpu, options, (id) => requireShared(place, gpu.providers, id))
  return { root: place.root, stateDir: place.stateDir, gpu, providers }
}

/**
 * @throws VT_GPU_PROVIDER_CHANGED unless a provider's entry, and each file of the working tree that its command names, are
 *   what the default branch has: a program nobody has agreed to is not started
 */
async function requireShared(
  { root, git, branch, shared }: TrainingPlace,
  providers: Config['training']['gpu']['providers'],
  id: string,
): Promise<void> {
  const { config } = await readConfig(shared.reader)
  // Without that branch the working tree stands for it elsewhere; here it would vouch for itself.
  if ((await resolveCommit(git, `refs/heads/${branch}`)) === undefined) throw notShared(id, 'its program', branch)
  const [here, there] = [providers[id], config.training.gpu.providers[id]]
  if (here === undefined || there === undefined || canonicalJson(here) !== canonicalJson(there)) {
    throw notShared(id, `\`training.gpu.providers.${id}\``, branch)
  }
  for (const word of here.command) {
    const file = resolve(root, word)
    const path = relative(root, file).replaceAll('\\', '/')
    if (path === '' || !isInside(root, file)) continue
    if ((await stat(file).catch(() => undefined))?.isDirectory()) continue
    const [now, committed] = [await readFile(file, 'utf8').catch(() => undefined), await shared.reader.read(path)]
    if (now !== committed) throw notShared(id, path, branch)
  }
}

function notShared(id: string, what: string, branch: string): ValuetrainError {
  return new ValuetrainError('VT_GPU_PROVIDER_CHANGED', `the provider ${id} is not started: ${what} is not as ${branch} has it`, {
    kind: 'config',
    hint: `commit it there, or restore it with \`git restore --source ${branch}\``,
  })
}
