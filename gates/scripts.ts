import { posix } from 'node:path'
import type { GateSpec } from '../core/contracts/gate.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { ValuetrainError } from '../core/errors.ts'

export interface ChangedScript {
  gate: string
  script: string
}

/**
 * Returns the scripts that command gates run and that differ between two revisions: files that an argument names, the
 * package.json script behind `npm run` and its kin, the Makefile behind `make`.
 */
export async function changedScripts(
  gates: Iterable<GateSpec>,
  changed: ReadonlySet<string>,
  before: FileReader,
  after: FileReader,
): Promise<ChangedScript[]> {
  const found: ChangedScript[] = []
  const isChanged = async (path: string) => changed.has(path) || (await differs(path, before, after))
  for (const { id, kind } of gates) {
    if (kind.type !== 'command') continue
    const folder = kind.cwd ?? '.'
    const inFolder = (path: string) => posix.normalize(posix.join(folder, path)).replace(/^\.\//, '')
    for (const script of kind.argv.map(inFolder)) {
      if (await isChanged(script)) found.push({ gate: id, script })
    }
    if (/^(?:g?make)$/.test(kind.argv[0] ?? '')) {
      for (const file of ['Makefile', 'makefile', 'GNUmakefile'].map(inFolder))
        if (await isChanged(file)) found.push({ gate: id, script: file })
    }
    const names = packageScripts(kind.argv)
    const manifest = inFolder('package.json')
    if (names.length > 0 && changed.has(manifest)) {
      const [old, now] = [scriptsOf(await before.read(manifest)), scriptsOf(await after.read(manifest))]
      const name = names.find((one) => old[one] !== now[one])
      if (name !== undefined) found.push({ gate: id, script: `the script "${name}" of ${manifest}` })
    }
  }
  return found
}

/**
 * Tells whether a path leads to another content after than before; a file that stays as it is may be a link to one that
 * changed. A link out of the tree leads nowhere that a change could be.
 */
export async function differs(path: string, before: FileReader, after: FileReader): Promise<boolean> {
  const read = (reader: FileReader) =>
    reader.read(path).catch((error: unknown) => {
      if (error instanceof ValuetrainError && error.code === 'VT_OUTSIDE') return undefined
      throw error
    })
  return (await read(before)) !== (await read(after))
}

const RUNNERS = new Set(['npm', 'pnpm', 'yarn', 'bun'])

/** The script a package manager's command runs, with those before and after it. */
function packageScripts(argv: readonly string[]): string[] {
  const [program = '', ...rest] = argv
  if (!RUNNERS.has(program)) return []
  const words = rest.filter((word) => !word.startsWith('-'))
  const name = words[0] === 'run' || words[0] === 'run-script' ? words[1] : words[0] === 't' ? 'test' : words[0]
  return name === undefined ? [] : [name, `pre${name}`, `post${name}`]
}

function scriptsOf(text: string | undefined): Record<string, unknown> {
  try {
    const { scripts } = JSON.parse(text ?? '{}') as { scripts?: Record<string, unknown> }
    return scripts ?? {}
  } catch {
    return {}
  }
}
