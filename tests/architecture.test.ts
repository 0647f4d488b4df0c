import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importsOf, loopsOf, ROOT, readSources, withoutWords } from './support/sources.ts'

interface Row {
  floor: number
  folders: string[]
  /** What a file of these folders may import besides its own folder. */
  mayImport: (path: string, floors: ReadonlyMap<string, number>) => boolean
}

/** Folders that hold no part of the product: a new one next to them is a design decision, written down in docs/decisions. */
const AROUND = ['bench', 'docs', 'examples', 'scripts', 'tests', '.changeset', '.ci', '.github', '.husky', '.valuetrain']

/** Names that say nothing about what is inside. */
const EMPTY_WORDS = new Set(['util', 'utils', 'helper', 'helpers', 'misc', 'manager', 'managers', 'service', 'services'])

/** What ties a module to the process it happens to run in; only `bin/` joins the two. */
const PROCESS = /\bprocess\.(env|argv|exit|exitCode|stdout|stderr|stdin|cwd|chdir|on|once|emitWarning)\b|\bconsole\.\w+/g

/** The one exception: what starts a process group has to know the mark of the group it runs in itself. */
const MAY_TOUCH: ReadonlySet<string> = new Set(['core/process.ts uses process.env'])

const rows = parseTable(await readFile(join(ROOT, 'ARCHITECTURE.md'), 'utf8'))
const floors = new Map(rows.flatMap(({ floor, folders }) => folders.map((folder) => [folder, floor] as const)))
const folders = [...floors.keys()].filter((folder) => existsSync(join(ROOT, folder)))
const sources = await readSources(folders, (path) => path.endsWith('.ts') && !path.startsWith('templates/files/'))

describe('the layer table of ARCHITECTURE.md', () => {
  it('has seven floors and every folder once', () => {
    expect(rows.map(({ floor, folders }) => [floor, folders])).toEqual([
      [0, ['core']],
      [1, ['modes', 'templates', 'forge']],
      [2, ['sessions']],
      [3, ['gates']],
      [4, ['conductor', 'agents', 'hooks', 'training']],
      [5, ['hub']],
      [6, ['bin']],
    ])
  })

  it('is what the imports keep to', () => {
    const broken = [...sources].flatMap(([path, text]) => violationsOf(path, text))
    expect(broken).toEqual([])
  })

  it('refuses each kind of import it forbids', () => {
    const example = (path: string, specifier: string) => violationsOf(path, `import { x } from '${specifier}'\n`)
    expect(example('core/a.ts', '../modes/b.ts')).toEqual(['core/a.ts:1 imports modes/b.ts'])
    expect(example('modes/a.ts', '../forge/b.ts')).toEqual(['modes/a.ts:1 imports forge/b.ts'])
    expect(example('sessions/a.ts', '../forge/b.ts')).toEqual(['sessions/a.ts:1 imports forge/b.ts'])
    expect(example('agents/a.ts', '../conductor/b.ts')).toEqual(['agents/a.ts:1 imports conductor/b.ts'])
    expect(example('hub/a.ts', '../conductor/run.ts')).toEqual(['hub/a.ts:1 imports conductor/run.ts'])
    expect(example('hub/a.ts', '../conductor/contracts.ts')).toEqual([])
    expect(example('gates/a.ts', '../sessions/b.ts')).toEqual([])
    expect(example('bin/a.ts', '../hub/b.ts')).toEqual([])
    expect(violationsOf('core/a.ts', "export const load = () => import('../bin/b.ts')\n")).toEqual([
      'core/a.ts:1 imports bin/b.ts',
    ])
    expect(violationsOf('core/a.ts', "import type { T } from '../gates/b.ts'\n")).toEqual(['core/a.ts:1 imports gates/b.ts'])
  })

  it('names every top-level folder that holds a part of the product', () => {
    const tracked = execFileSync('git', ['ls-tree', '-d', '--name-only', 'HEAD'], { cwd: ROOT, encoding: 'utf8' })
    const unknown = tracked
      .trim()
      .split('\n')
      .filter((folder) => !floors.has(folder) && !AROUND.includes(folder))
    expect(unknown).toEqual([])
  })
})

describe('the modules', () => {
  it('import each other without loops', () => {
    // Type imports are gone when the modules run, and lazy ones come after they are loaded.
    const graph = new Map(
      [...sources].map(([path, text]) => [
        path,
        importsOf(path, text).flatMap(({ target, lazy, typeOnly }) =>
          target !== undefined && !lazy && !typeOnly && sources.has(target) ? [target] : [],
        ),
      ]),
    )
    expect(loopsOf(graph).map((loop) => loop.join(' > '))).toEqual([])
    const bent = new Map([
      ['a.ts', ['b.ts']],
      ['b.ts', ['c.ts']],
      ['c.ts', ['b.ts']],
    ])
    expect(loopsOf(bent)).toEqual([['b.ts', 'c.ts', 'b.ts']])
  })

  it('name the file they import, with its ending', () => {
    const bare = [...sources].flatMap(([path, text]) =>
      importsOf(path, text)
        .filter(({ target }) => target !== undefined && !(target.endsWith('.ts') && existsSync(join(ROOT, target))))
        .map(({ specifier, line }) => `${path}:${line} imports '${specifier}'`),
    )
    expect(bare).toEqual([])
  })

  it('leave the process to bin/', () => {
    const touched = [...sources]
      .filter(([path]) => !path.startsWith('bin/'))
      .flatMap(([path, text]) => processUses(path, text))
      .filter((use) => !MAY_TOUCH.has(use.replace(/:\d+/, '')))
    expect(touched).toEqual([])
    expect(processUses('core/a.ts', 'const home = process.env.HOME\n// process.argv\n')).toEqual(['core/a.ts:1 uses process.env'])
  })

  it('have names that say what is inside', () => {
    const named = [...sources.keys()].filter(
      (path) =>
        path.split(/[/.-]/).some((word) => EMPTY_WORDS.has(word)) ||
        !path.split('/').every((part) => /^_?[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(part)),
    )
    expect(named).toEqual([])
  })

  it('are listed where they are public: every folder with an index is an export of the package and the other way round', async () => {
    const { exports } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
    const exported = Object.keys(exports).filter((key) => /^\.\/[a-z-]+$/.test(key))
    const indexed = folders
      .filter((folder) => sources.has(`${folder}/index.ts`) && folder !== 'bin')
      .map((folder) => `./${folder}`)
    expect(exported.sort()).toEqual(indexed.sort())
  })
})

/** Returns the rows of the table whose first column is "floor". */
function parseTable(markdown: string): Row[] {
  const lines = markdown.split('\n')
  const head = lines.findIndex((line) => /^\|\s*floor\s*\|/.test(line))
  const rows: Row[] = []
  for (const line of lines.slice(head + 2)) {
    const cells = line.split('|').map((cell) => cell.trim())
    if (cells.length < 6) break
    const names = [...(cells[2] ?? '').matchAll(/`([a-z]+)\/`/g)].map((match) => match[1] as string)
    rows.push({ floor: Number(cells[1]), folders: names, mayImport: ruleOf(cells[4] ?? '') })
  }
  return rows
}

/** Reads the last column: a list of folders, "floors a to b", and what each adds. */
function ruleOf(text: string): Row['mayImport'] {
  if (text === 'nothing of ours') return () => false
  if (text.startsWith('everything')) return () => true
  const range = /^floors (\d) to (\d)(, never one another| and the conductor's contracts)?$/.exec(text)
  if (range) {
    return (path, floors) => {
      const floor = floors.get(path.split('/')[0] ?? '') ?? Number.POSITIVE_INFINITY
      if (floor >= Number(range[1]) && floor <= Number(range[2])) return true
      return (range[3] ?? '').includes('contracts') && /^conductor\/contracts(\.ts|\/)/.test(path)
    }
  }
  const list = text.split(', ')
  if (!list.every((word) => /^[a-z]+$/.test(word))) throw new Error(`ARCHITECTURE.md: the rule "${text}" is not understood`)
  return (path) => list.includes(path.split('/')[0] ?? '')
}

function violationsOf(path: string, text: string): string[] {
  const folder = path.split('/')[0] ?? ''
  const row = rows.find(({ folders }) => folders.includes(folder))
  return importsOf(path, text).flatMap(({ target, line }) => {
    if (target === undefined || target.startsWith(`${folder}/`) || row?.mayImport(target, floors)) return []
    return [`${path}:${line} imports ${target}`]
  })
}

function processUses(path: string, text: string): string[] {
  const words = [...withoutWords(text).matchAll(PROCESS)]
  const imported =
    /^import\s+(?:\*\s+as\s+\w+|\{[^}]*\b(?:env|argv|exit|stdout|stderr|stdin|cwd|chdir)\b[^}]*\})\s+from 'node:process'/gm
  return [...words, ...text.matchAll(imported)].map(
    (match) => `${path}:${text.slice(0, match.index).split('\n').length} uses ${match[0].split('.').slice(0, 2).join('.')}`,
  )
}
