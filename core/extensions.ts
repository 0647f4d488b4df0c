import { readFile, stat } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { sha256 } from './canonical.ts'
import { type Config, checkShape } from './config.ts'
import type { ExtensionJudge, LoadedExtensions } from './contracts/extension.ts'
import { GateSpec } from './contracts/gate.ts'
import { SLUG } from './contracts/names.ts'
import type { Runtime } from './contracts/runtime.ts'
import { didYouMean, ValuetrainError } from './errors.ts'
import { resolveInside } from './files.ts'

export type { LoadedExtensions } from './contracts/extension.ts'

/** A module that does nothing but export answers in a moment; one that waits for something is refused. */
const LOAD_MS = 10_000

/**
 * Loads the gates and runtimes that a configuration names by repository path. A gate module exports `gate`, a gate's
 * specification, and may export `judge`, its code; a runtime module exports `runtime`.
 *
 * The modules run in this process with all its rights, so the folder has to be a checkout of a commit that people
 * agreed to (the base of a change), never a working tree, and nothing is found by scanning.
 *
 * @param dir absolute; the checkout's root
 * @throws VT_EXTENSION naming the path, when a module is absent, outside, does not load or has another shape
 */
export async function loadExtensions(dir: string, config: Pick<Config, 'extensions'>): Promise<LoadedExtensions> {
  const gates: GateSpec[] = []
  const runtimes: Runtime[] = []
  const judges = new Map<string, ExtensionJudge>()
  for (const path of config.extensions.gates) {
    const { gate, judge } = readGate(path, await loadModule(dir, path))
    requireNew(gate.id, gates, path, 'gate')
    gates.push(gate)
    if (judge) judges.set(gate.id, judge)
  }
  for (const path of config.extensions.runtimes) {
    const runtime = readRuntime(path, await loadModule(dir, path))
    requireNew(runtime.id, runtimes, path, 'runtime')
    runtimes.push(runtime)
  }
  return { gates, runtimes, judges }
}

interface LoadedModule {
  exports: Record<string, unknown>
  /** SHA-256 of the module's text. */
  digest: string
}

async function loadModule(dir: string, path: string): Promise<LoadedModule> {
  if (!/\.m?js$/.test(path)) throw refuse(path, 'is not a JavaScript module', 'name a file ending in .mjs or .js')
  const file = await resolveInside(dir, path).catch((cause) => {
    throw refuse(path, 'lies outside the repository', 'name it by its path from the root of the repository', cause)
  })
  if (!(await stat(file).catch(() => undefined))?.isFile()) {
    throw refuse(path, 'is not there', 'commit the file, or take its path out of .valuetrain/config.yaml')
  }
  const digest = sha256(await readFile(file))
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not finish loading within ${LOAD_MS / 1000} s`)), LOAD_MS)
  })
  try {
    const exports: Record<string, unknown> = await Promise.race([import(`${pathToFileURL(file).href}?digest=${digest}`), late])
    return { exports, digest }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw refuse(path, `does not load: ${message}`, 'extensions may import only Node and files beside them', cause)
  } finally {
    clearTimeout(timer)
  }
}

function readGate(path: string, { exports, digest }: LoadedModule): { gate: GateSpec; judge: ExtensionJudge | undefined } {
  const input = exported(path, exports, 'gate')
  const { judge } = exports
  if (judge === undefined) return { gate: checkGate(path, input), judge: undefined }
  if (typeof judge !== 'function') throw refuse(path, 'exports a `judge` that is no function', 'export a function, or nothing')
  // The code's digest is part of the specification, so that results of other code are never repeated.
  const { options, ...rest } = input
  const gate = checkGate(path, {
    subject: 'range',
    ...rest,
    kind: { type: 'builtin', name: rest.id, options: { ...(options as object | undefined), code: digest } },
  })
  if (gate.subject !== 'range') {
    throw refuse(
      path,
      `asks for the subject "${gate.subject}"`,
      'a gate with code sees base and head, so its subject is `range`; leave it out',
    )
  }
  return { gate, judge: judge as ExtensionJudge }
}

function checkGate(path: string, input: unknown): GateSpec {
  try {
    return checkShape(GateSpec, input, path)
  } catch (cause) {
    const { message } = cause as Error
    throw refuse(path, message.replace(`${path}: `, '`gate`: '), '`valuetrain new gate NAME` writes one to compare with', cause)
  }
}

function readRuntime(path: string, { exports }: LoadedModule): Runtime {
  const runtime = exported(path, exports, 'runtime')
  if (typeof runtime.id !== 'string' || !SLUG.test(runtime.id)) {
    throw refuse(path, 'exports a runtime whose `id` is no slug', 'use a-z, 0-9 and single dashes')
  }
  if (typeof runtime.title !== 'string' || runtime.title.trim() === '') {
    throw refuse(path, 'exports a runtime without a `title`', 'say in a few words what it is')
  }
  for (const method of ['probe', 'accepts', 'turn'] as const) {
    if (typeof runtime[method] === 'function') continue
    throw refuse(path, `exports a runtime without the function \`${method}\``, 'a runtime has probe, accepts and turn')
  }
  return runtime as unknown as Runtime
}

function exported(path: string, exports: Record<string, unknown>, name: 'gate' | 'runtime'): Record<string, unknown> {
  const value = exports[name]
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  const near = didYouMean(name, Object.keys(exports))
  throw refuse(path, `does not export \`${name}\`${near}`, `write \`export const ${name} = { … }\` in it`)
}

function requireNew(id: string, known: readonly { id: string }[], path: string, kind: string): void {
  if (known.some((one) => one.id === id))
    throw refuse(path, `brings the ${kind} "${id}", which another module brings, too`, 'give it another id')
}

function refuse(path: string, what: string, hint: string, cause?: unknown): ValuetrainError {
  return new ValuetrainError('VT_EXTENSION', `extension ${path.slice(0, 200)} ${what}`, {
    kind: 'config',
    hint,
    details: { path: path.slice(0, 200) },
    ...(cause === undefined ? {} : { cause }),
  })
}
