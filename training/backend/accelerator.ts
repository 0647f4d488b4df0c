/**
 * The accelerator folder: a place of its own for TensorFlow.js, so that nobody's install has to carry it. Filling it may
 * fail and may take long; everything works without it.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ValuetrainError } from '../../core/errors.ts'
import { runProcess } from '../../core/process.ts'
import { type FoundTfjs, findTfjs, tfjsBackend } from './tfjs.ts'

export type AcceleratorKind = 'gpu' | 'cpu'

/** The version that the adapter is tested with. */
export const TFJS_VERSION = '4.22.0'
const PACKAGES: Readonly<Record<AcceleratorKind, string>> = { gpu: '@tensorflow/tfjs-node-gpu', cpu: '@tensorflow/tfjs-node' }
/** Says that a folder is ours to remove. */
const MARK = 'valuetrain-accelerator.json'

export interface AcceleratorOptions {
  /** Absolute; made when it is not there. */
  folder: string
  env: Readonly<Record<string, string>>
  /** Milliseconds for the whole install; 600,000 unless told. */
  timeoutMs?: number
  signal?: AbortSignal
  onOutput?: (text: string) => void
  /** The package manager's command; `npm` unless told. */
  npm?: readonly string[]
}

/**
 * Installs a TensorFlow.js binding and proves that it computes. It is made beside the folder and takes its place at the
 * end, so that what was there before stays until something better is whole.
 *
 * @throws VT_ACCEL_FOLDER when the folder holds something else; VT_ACCEL_INSTALL when the install fails or takes too
 *   long; VT_TFJS_LOAD, VT_TFJS_WRONG when what was installed does not compute. Nothing of it is left then
 */
export async function installAccelerator(kind: AcceleratorKind, options: AcceleratorOptions): Promise<FoundTfjs> {
  const { folder } = options
  const draft = `${folder}.new`
  if ((await markOf(folder)) === 'foreign') throw foreign(folder)
  await removeAccelerator(draft)
  await claimFolder(draft)
  try {
    await installInto(draft, `${PACKAGES[kind]}@${TFJS_VERSION}`, options)
    const found = findTfjs([draft])
    if (found === undefined) {
      throw new ValuetrainError('VT_ACCEL_INSTALL', `npm left no ${PACKAGES[kind]} in ${draft}`, { kind: 'environment' })
    }
    await oneOperation(found)
    await removeAccelerator(folder)
    await rename(draft, folder)
    return { ...found, place: folder }
  } catch (cause) {
    await removeAccelerator(draft)
    throw cause
  }
}

async function installInto(folder: string, wanted: string, options: AcceleratorOptions): Promise<void> {
  const { env, timeoutMs = 600_000, signal, onOutput, npm = ['npm'] } = options
  const result = await runProcess([...npm, 'install', '--no-audit', '--no-fund', '--save-exact', '--', wanted], {
    cwd: folder,
    env,
    limits: { totalMs: timeoutMs },
    ...(signal === undefined ? {} : { signal }),
    ...(onOutput === undefined ? {} : { onOutput: (_stream: string, text: string) => onOutput(text) }),
  })
  if (result.exit === 0) return
  const host = /(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT)\s+([\w.-]+\.[a-z]{2,})/.exec(result.outputTail)?.[1]
  const why = result.missing
    ? 'npm was not found'
    : result.timedOut !== undefined
      ? `npm was not done after ${timeoutMs / 1000} s`
      : result.aborted
        ? 'it was stopped'
        : host === undefined
          ? `npm ended with ${result.exit ?? result.signal}`
          : `${host}, from which it downloads its native part, is out of reach`
  throw new ValuetrainError('VT_ACCEL_INSTALL', `${wanted} could not be installed: ${why}`, {
    kind: 'environment',
    hint: 'Nothing of it was left behind. Keep to `--backend wasm`, or `npm i @tensorflow/tfjs@4.22.0` in your project for the binding in plain JavaScript.',
    details: { exit: result.exit, timedOut: result.timedOut ?? null, host: host ?? null },
    cause: new Error(result.outputTail.slice(-2_000)),
  })
}

/** Removes the folder. Returns whether there was one. @throws VT_ACCEL_FOLDER when it is not ours */
export async function removeAccelerator(folder: string): Promise<boolean> {
  const state = await markOf(folder)
  if (state === 'absent') return false
  if (state === 'foreign') throw foreign(folder)
  await rm(folder, { recursive: true, force: true })
  return true
}

export interface AcceleratorReport {
  /** One line a graphics card: name, driver, memory; empty without `nvidia-smi`. */
  cards: string[]
  /** What CUDA the driver speaks, where it says. */
  cuda: string | undefined
  binding: FoundTfjs | undefined
  /** What one product of matrices gave: the device it ran on, or why not; undefined without a binding. */
  check: { ok: boolean; text: string } | undefined
}

/** Reports what there is, without changing anything and without failing. @param places as for `findTfjs` */
export async function examineAccelerator(
  places: readonly string[],
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
): Promise<AcceleratorReport> {
  const smi = async (...args: string[]) => {
    const result = await runProcess(['nvidia-smi', ...args], { cwd, env, limits: { totalMs: 10_000 } })
    return result.exit === 0 ? result.outputTail : ''
  }
  const cards = await smi('--query-gpu=name,driver_version,memory.total', '--format=csv,noheader')
  const cuda = cards === '' ? undefined : /CUDA Version:\s*([\d.]+)/.exec(await smi())?.[1]
  const binding = findTfjs(places)
  const check = binding === undefined ? undefined : await oneOperation(binding).then(passed, failed)
  return { cards: cards.split('\n').filter((line) => line !== ''), cuda, binding, check }
}

/** Multiplies two small matrices whose product is known. @returns the device */
async function oneOperation(found: FoundTfjs): Promise<string> {
  const backend = await tfjsBackend(found)
  const array = (...values: number[]) => {
    const out = backend.allocate(values.length)
    out.set(values)
    return out
  }
  const out = backend.allocate(4)
  const shape = { rows: 2, inputs: 2, outputs: 2 }
  backend.dense(array(1, 2, 3, 4), array(5, 6, 7, 8), array(1, -1), out, shape, 'linear')
  if (out.join(' ') !== '20 21 44 49') {
    throw new ValuetrainError('VT_TFJS_WRONG', `${found.binding} says that [1 2; 3 4] [5 6; 7 8] + [1 -1] is ${out.join(' ')}`, {
      kind: 'environment',
      hint: 'Do not train with it; use `--backend wasm`.',
    })
  }
  return backend.device
}

function passed(device: string): { ok: boolean; text: string } {
  return { ok: true, text: device }
}

function failed(error: unknown): { ok: boolean; text: string } {
  return { ok: false, text: error instanceof Error ? error.message : String(error) }
}

async function claimFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, MARK), `${JSON.stringify({ version: 1 })}\n`)
  await writeFile(join(folder, 'package.json'), `${JSON.stringify({ name: 'valuetrain-accelerator', private: true })}\n`)
}

async function markOf(folder: string): Promise<'absent' | 'ours' | 'foreign'> {
  const read = (name: string) =>
    readFile(join(folder, name)).then(
      () => true,
      (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? false : Promise.reject(error)),
    )
  if (await read(MARK)) return 'ours'
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return entries === undefined || entries.length === 0 ? 'absent' : 'foreign'
}

function foreign(folder: string): ValuetrainError {
  return new ValuetrainError('VT_ACCEL_FOLDER', `${folder} holds something that is not an accelerator of ours`, {
    hint: 'Choose another folder; this one stays as it is.',
  })
}
