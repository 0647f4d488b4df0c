/** The providers that the configuration names, and this clone's notes of the leases it took. */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../core/config.ts'
import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import { writeNote } from '../../core/files.ts'
import { fateOf, type ProcessIdentity } from '../../core/identity.ts'
import { ownIdentity } from '../../core/lock.ts'
import { machineProvider } from './leases.ts'
import { localMachine, type MachineOptions, sshMachine } from './machine.ts'
import { programProvider } from './program.ts'
import type { GpuProvider } from './provider.ts'

/**
 * Returns this machine, each that ssh reaches, and each that a program of the repository speaks for.
 *
 * @param vouch is asked before a provider's program is started, and throws where it is not to be
 */
export function openProviders(
  gpu: Config['training']['gpu'],
  options: MachineOptions,
  vouch: (id: string) => Promise<void>,
): GpuProvider[] {
  return [
    machineProvider('local', 'this machine', localMachine(options), gpu.usdPerHour),
    ...Object.entries(gpu.ssh).map(([id, { host, usdPerHour }]) =>
      machineProvider(id, `${host} by ssh`, sshMachine(host, options), usdPerHour),
    ),
    ...Object.entries(gpu.providers).map(([id, { command, usdPerHour }]) =>
      programProvider({ ...options, id, argv: command, usdPerHour, vouch: () => vouch(id) }),
    ),
  ]
}

/** Returns a provider by its id. @throws VT_GPU_UNKNOWN with the nearest one */
export function providerNamed(providers: readonly GpuProvider[], id: string): GpuProvider {
  const found = providers.find((provider) => provider.id === id)
  if (found !== undefined) return found
  const known = providers.map((provider) => provider.id)
  throw new ValuetrainError('VT_GPU_UNKNOWN', `no machine is called "${id.slice(0, 80)}"${didYouMean(id, known)}`, {
    hint: `known: ${known.join(', ')}; \`training.gpu.ssh\` in .valuetrain/config.yaml names more`,
  })
}

interface LeaseNote {
  provider: string
  owner: ProcessIdentity
}

/** Notes a lease before it is asked for, so that `reap` knows who took it. Returns what takes the note away. */
export async function noteLease(stateDir: string, lease: string, provider: string): Promise<() => Promise<void>> {
  const file = join(folderOf(stateDir), `${lease}.json`)
  await mkdir(folderOf(stateDir), { recursive: true })
  await writeNote(file, JSON.stringify({ provider, owner: await ownIdentity() } satisfies LeaseNote))
  return () => rm(file, { force: true })
}

/** Returns the leases of this clone whose owner is known to be gone, by provider. */
export async function ownerlessLeases(
  stateDir: string,
): Promise<{ lease: string; provider: string; forget: () => Promise<void> }[]> {
  const found = []
  for (const name of await readdir(folderOf(stateDir)).catch(() => [])) {
    const file = join(folderOf(stateDir), name)
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined || !name.endsWith('.json')) continue
    const { provider, owner } = JSON.parse(text) as LeaseNote
    if ((await fateOf(owner)) !== 'gone') continue
    found.push({ lease: name.slice(0, -'.json'.length), provider, forget: () => rm(file, { force: true }) })
  }
  return found
}

function folderOf(stateDir: string): string {
  return join(stateDir, 'gpu')
}
