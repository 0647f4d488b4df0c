import { posix } from 'node:path'
import type { GateSpec } from '../core/contracts/gate.ts'
import type { FileReader } from '../core/contracts/method.ts'

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
  for (const { id, kind } of gates) {
    if (kind.type !== 'command') continue
    const folder = kind.cwd ?? '.'
    const inFolder = (path: string) => posix.normalize(posix.join(folder, path)).replace(/^\.\//, '')
    for (const argument of kind.argv) {
      if (changed.has(inFolder(argument))) found.push({ gate: id, script: inFolder(argument) })
    }
    if (/^(?:g?make)$/.test(kind.argv[0] ?? '')) {
      for (const file of ['Makefile', 'makefile', 'GNUmakefile'].map(inFolder))
        if (changed.has(file)) found.push({ gate: id, script: file })
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
