import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One file of `.husky` with our line added at its end. */
export interface HuskyLine {
  /** Absolute. */
  path: string
  /** Whether there was no such file. */
  isNew: boolean
  before: string
  added: string
  after: string
}

/** Returns the folder that husky generates and names as core.hooksPath. */
export function huskyFolder(root: string): string {
  return join(root, '.husky', '_')
}

/**
 * Returns what the files of `.husky` become. The line is the same in every clone, since these files are committed; it finds this
 * clone's dispatcher through git, and stands last, so that what formatters of the same hook change is judged, too.
 */
export async function addHuskyLines(root: string, names: readonly string[]): Promise<HuskyLine[]> {
  return Promise.all(
    names.map(async (name) => {
      const path = join(root, '.husky', name)
      const there = await readFile(path, 'utf8').catch(() => undefined)
      const before = there ?? ''
      const isNew = there === undefined
      if (before.includes(MARK)) return { path, isNew, before, added: '', after: before }
      const added = `${before === '' || before.endsWith('\n') ? '' : '\n'}${huskyLine(name)}\n`
      return { path, isNew, before, added, after: before + added }
    }),
  )
}

const MARK = '# valuetrain'
/** Finds the clone's dispatcher in the words of the shell alone, since a call of git costs more than all else here. */
const DISPATCH =
  'g=${GIT_DIR:-.git}; [ ! -f "$g/commondir" ] || { read -r c <"$g/commondir"; case $c in /*) g=$c ;; *) g=$g/$c ;; esac; }; ' +
  '[ -d "$g" ] || g=$(git rev-parse --git-common-dir); h=$g/valuetrain/hooks/dispatch'
const MISSING = 'valuetrain: no hooks are installed in this clone; run `npx valuetrain hooks install`'

/**
 * Returns the line that reads the dispatcher, in a shell of its own, so that lines after it still run; where it is missing,
 * what comes before an act refuses it.
 */
export function huskyLine(name: string): string {
  const otherwise = name.startsWith('post-') ? '' : ` || { echo '${MISSING}' >&2; exit 1; }`
  return name.startsWith('post-')
    ? `${DISPATCH}; [ ! -x "$h" ] || (. "$h") ${MARK}`
    : `${DISPATCH}; [ -x "$h" ]${otherwise}; (. "$h") ${MARK}`
}
