import { readdir, readFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Absolute path of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** One `import`, `export … from` or `import()` of a module. */
export interface Import {
  specifier: string
  /** Path from the root of what it names, for relative ones. */
  target: string | undefined
  line: number
  typeOnly: boolean
  lazy: boolean
}

/** Returns the texts of the files below folders of the project, by path from the root with forward slashes. */
export async function readSources(folders: readonly string[], accept: (path: string) => boolean): Promise<Map<string, string>> {
  const sources = new Map<string, string>()
  for (const folder of folders) {
    const entries = await readdir(join(ROOT, folder), { withFileTypes: true, recursive: true })
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll('\\', '/')
      if (entry.isFile() && !path.includes('node_modules/') && accept(path)) {
        sources.set(path, await readFile(join(ROOT, path), 'utf8'))
      }
    }
  }
  return new Map([...sources].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/**
 * Returns what a module imports. Statements begin at the first column, as the formatter leaves them, so that text
 * in strings is not taken for one; `import()` is found anywhere.
 */
export function importsOf(path: string, text: string): Import[] {
  const found: Import[] = []
  const add = (index: number, specifier: string, typeOnly: boolean, lazy: boolean) => {
    found.push({
      specifier,
      target: specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined,
      line: text.slice(0, index).split('\n').length,
      typeOnly,
      lazy,
    })
  }
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'"`;()]*?\sfrom\s+)?'([^'\n]+)'/gm)) {
    add(match.index, match[2] as string, match[1] !== undefined, false)
  }
  for (const match of text.matchAll(/\bimport\(\s*'([^'\n]+)'\s*\)/g)) {
    add(match.index, match[1] as string, isTypePosition(text, match.index), true)
  }
  return found
}

function isTypePosition(text: string, index: number): boolean {
  return /(?:typeof|[:<|])\s*$/.test(text.slice(Math.max(0, index - 20), index))
}

/** Returns the source with comments and the insides of strings blanked, line by line as long as before. */
export function withoutWords(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, (match) =>
    match.replace(/[^\n]/g, ' '),
  )
}

/** Returns the import loops of a graph, each as the path that leads back to its first file. */
export function loopsOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const loops: string[][] = []
  const state = new Map<string, 'open' | 'done'>()
  const path: string[] = []
  const visit = (file: string) => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      loops.push([...path.slice(path.indexOf(file)), file])
      return
    }
    state.set(file, 'open')
    path.push(file)
    for (const next of graph.get(file) ?? []) visit(next)
    path.pop()
    state.set(file, 'done')
  }
  for (const file of graph.keys()) visit(file)
  return loops
}
