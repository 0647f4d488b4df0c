import type { FileReader } from '../core/contracts/method.ts'
import { type Clues, COMMAND_NAMES, type Detected, type Look } from './clues.ts'
import { detectDeno, detectJavaScript } from './detect-javascript.ts'
import { detectGo, detectMake, detectPython, detectRust } from './detect-native.ts'
import { type AskTool, unknownRegistry } from './registries.ts'

/** Asked in this order: what a project says itself comes before what its language usually does. */
const DETECTORS = [detectJavaScript, detectDeno, detectMake, detectRust, detectGo, detectPython] as const

/**
 * Returns what the files of a repository's root say. Reads names and texts; nothing of the repository is run, and a file
 * that does not parse is a note and not an error.
 *
 * @param ask how a package manager is asked for its registry where no file names it; without it nothing is asked
 */
export async function detect(reader: FileReader, ask?: AskTool): Promise<Detected> {
  const root = new Set(await reader.list('.'))
  const look: Look = {
    has: (...names) => names.find((name) => root.has(name)),
    read: async (name) => (root.has(name) || name.includes('/') ? await reader.read(name) : undefined),
    ignored: ignoredNames(root.has('.gitignore') ? await reader.read('.gitignore') : undefined),
    ...(ask === undefined ? {} : { ask }),
  }
  const clues = (await Promise.all(DETECTORS.map((detector) => detector(look)))).filter((clue) => clue !== undefined)
  const workspaces = clues.map(({ workspace }) => workspace).filter((workspace) => workspace !== undefined)
  const cache = workspaces.flatMap((workspace) => workspace.cache)
  return {
    languages: unique(clues.map(({ language }) => language)),
    packageManagers: unique(clues.map(({ packageManager }) => packageManager)),
    commands: firstOfEach(clues),
    recipes: Object.assign({}, ...clues.map(({ recipes }) => recipes).reverse()),
    workspace: {
      setup: workspaces.flatMap(({ setup }) => setup),
      inputs: workspaces.flatMap(({ inputs }) => inputs),
      cache,
      hosts: unique(workspaces.flatMap(({ hosts }) => hosts)),
    },
    notes: [
      ...clues.flatMap(({ notes }) => notes ?? []),
      ...workspaces.flatMap(({ setup, hosts }) => (hosts.length > 0 ? [] : setup.map(unknownRegistry))),
      ...cache
        .filter((folder) => !look.ignored.has(folder))
        .map((folder) => `${folder} is not in .gitignore; add it, or set-up's files will be taken for work`),
    ],
  }
}

function ignoredNames(text: string | undefined): Set<string> {
  const lines = (text ?? '').split(/\r?\n/).map((line) => line.trim())
  return new Set(lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(/^\/|\/\*{0,2}$/g, '')))
}

function firstOfEach(clues: readonly Clues[]): Detected['commands'] {
  const found = COMMAND_NAMES.map((name) => [name, clues.find(({ commands }) => commands?.[name])?.commands?.[name]] as const)
  return Object.fromEntries(found.filter(([, command]) => command !== undefined))
}

function unique(names: readonly (string | undefined)[]): string[] {
  return [...new Set(names.filter((name) => name !== undefined))]
}
