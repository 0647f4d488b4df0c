import { readFile } from 'node:fs/promises'
import type { Config } from '../core/config.ts'
import type { FileReader, Method, ModeSpec, PipelineSpec, RoleSpec } from '../core/contracts/method.ts'
import { MODES, type ModeId, ROLES, type RoleId } from '../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { itemsOf, parseMode, parsePipeline, parseRole, wrong } from './parse.ts'
import { checkPipeline } from './pipeline.ts'

/** The pipelines that come with the package. */
export const PIPELINES = ['routine', 'product', 'ml'] as const

/** The files of a repository that replace built-in definitions. */
const FOLDERS = { modes: '.valuetrain/modes', roles: '.valuetrain/roles', pipelines: '.valuetrain/pipelines' } as const

/**
 * Returns the methodology as one revision has it: the built-in modes, roles and pipelines, each replaced by the
 * repository's file of the same id, besides pipelines of its own.
 *
 * @param config its `extensions.modes` names mode files that lie elsewhere
 * @throws VT_YAML, VT_FRONT_MATTER, VT_CONFIG, VT_MODE, VT_ROLE or VT_PIPELINE with file, key and nearest name
 */
export async function loadMethod(reader: FileReader, config: Pick<Config, 'extensions'>): Promise<Method> {
  const [{ modes, roles, pipelines, templates }, own] = await Promise.all([loadBuiltins(), readOwn(reader, config)])
  const parsed = {
    modes: own.modes.map(({ file, text }) => ({ file, spec: parseMode(text, file) })),
    roles: own.roles.map(({ file, text }) => ({ file, spec: parseRole(text, file) })),
    pipelines: own.pipelines.map(({ file, text }) => ({ file, spec: parsePipeline(text, file) })),
  }
  requireOnce([...parsed.modes, ...parsed.pipelines])
  const method: Method = {
    modes: new Map([...modes, ...parsed.modes.map(({ spec }) => [spec.id, spec] as const)]),
    roles: new Map([...roles, ...parsed.roles.map(({ spec }) => [spec.id, spec] as const)]),
    pipelines: new Map([...pipelines, ...parsed.pipelines.map(({ spec }) => [spec.id, spec] as const)]),
    templates,
    overrides: [...parsed.modes, ...parsed.roles, ...parsed.pipelines].map(({ file }) => file).sort(),
  }
  for (const { file, spec } of parsed.modes) checkMode(spec, method, file)
  for (const { file, spec } of parsed.roles) checkRole(spec, method, file)
  for (const pipeline of method.pipelines.values()) {
    const file = parsed.pipelines.find(({ spec }) => spec === pipeline)?.file
    checkPipeline(pipeline, method, { file: file ?? `pipelines/${pipeline.id}.yaml (built in)` })
  }
  return method
}

interface Builtins {
  modes: ReadonlyMap<ModeId, ModeSpec>
  roles: ReadonlyMap<RoleId, RoleSpec>
  pipelines: ReadonlyMap<string, PipelineSpec>
  templates: ReadonlyMap<string, string>
}

let builtins: Promise<Builtins> | undefined

/** The package's own files do not change while it runs, so one reading serves every revision. */
function loadBuiltins(): Promise<Builtins> {
  builtins ??= readBuiltins()
  return builtins
}

async function readBuiltins(): Promise<Builtins> {
  const [modes, roles, pipelines] = await Promise.all([
    Promise.all(MODES.map(async (id) => parseMode(await asset(`${id}.md`), `modes/${id}.md`))),
    Promise.all(ROLES.map(async (id) => parseRole(await asset(`roles/${id}.md`), `modes/roles/${id}.md`))),
    Promise.all(PIPELINES.map(async (id) => parsePipeline(await asset(`pipelines/${id}.yaml`), `modes/pipelines/${id}.yaml`))),
  ])
  const names = [...new Set(modes.flatMap(templatesOf).map(({ template }) => template))].sort()
  const templates = await Promise.all(
    names.map(async (name) => [name, await asset(`../templates/deliverables/${name}`)] as const),
  )
  return {
    modes: new Map(modes.map((mode) => [mode.id, mode])),
    roles: new Map(roles.map((role) => [role.id, role])),
    pipelines: new Map(pipelines.map((pipeline) => [pipeline.id, pipeline])),
    templates: new Map(templates),
  }
}

/** Returns the text of a built-in mode's file, as it comes with the package. */
export function readModeText(mode: ModeId): Promise<string> {
  return asset(`${mode}.md`)
}

function asset(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), 'utf8')
}

interface OwnFile {
  file: string
  text: string
}

async function readOwn(reader: FileReader, config: Pick<Config, 'extensions'>) {
  const [modes, roles, pipelines, named] = await Promise.all([
    readFolder(reader, FOLDERS.modes, /\.md$/, MODES, 'mode'),
    readFolder(reader, FOLDERS.roles, /\.md$/, ROLES, 'role'),
    readFolder(reader, FOLDERS.pipelines, /\.ya?ml$/, undefined, 'pipeline'),
    Promise.all(config.extensions.modes.map((file) => readNamed(reader, file))),
  ])
  return { modes: [...modes, ...named], roles, pipelines }
}

/** A file with a name that is not read would be an override that silently does nothing, so it is refused. */
async function readFolder(
  reader: FileReader,
  folder: string,
  extension: RegExp,
  known: readonly string[] | undefined,
  kind: 'mode' | 'role' | 'pipeline',
): Promise<OwnFile[]> {
  const names = (await reader.list(folder)).filter((name) => !name.startsWith('.') && !/^readme(\.\w+)?$/i.test(name))
  return Promise.all(
    names.map(async (name) => {
      const file = `${folder}/${name}`
      const code = kind === 'mode' ? 'VT_MODE' : kind === 'role' ? 'VT_ROLE' : 'VT_PIPELINE'
      if (!extension.test(name)) {
        const wanted = kind === 'pipeline' ? '<name>.yaml' : '<id>.md'
        throw new ValuetrainError(code, `${file} is not read: a ${kind} is a file ${wanted}`, {
          kind: 'config',
          hint: 'rename it, or move it out of this folder',
        })
      }
      const id = name.replace(extension, '')
      if (known && !known.includes(id)) {
        throw new ValuetrainError(code, `${file}: there is no ${kind} "${id}"${didYouMean(id, known)}`, {
          kind: 'config',
          hint: `a file here replaces a built-in ${kind}: ${known.join(', ')}`,
        })
      }
      return { file, text: (await reader.read(file)) ?? '' }
    }),
  )
}

async function readNamed(reader: FileReader, file: string): Promise<OwnFile> {
  const text = await reader.read(file)
  if (text !== undefined) return { file, text }
  throw new ValuetrainError('VT_EXTENSION', `.valuetrain/config.yaml: extensions.modes: there is no file ${file.slice(0, 200)}`, {
    kind: 'config',
    hint: 'name a committed file by its path from the root of the repository',
  })
}

function requireOnce(parsed: readonly { file: string; spec: { id: string } }[]): void {
  const files = new Map<string, string>()
  for (const { file, spec } of parsed) {
    const kind = file.endsWith('.md') ? 'mode' : 'pipeline'
    const other = files.get(`${kind} ${spec.id}`)
    if (other) {
      throw wrong(
        kind === 'mode' ? 'VT_MODE' : 'VT_PIPELINE',
        file,
        'id',
        `${other} is the ${kind} "${spec.id}", too`,
        'keep one of the two',
      )
    }
    files.set(`${kind} ${spec.id}`, file)
  }
}

function checkMode(mode: ModeSpec, method: Method, file: string): void {
  for (const role of mode.roles) {
    if (method.roles.get(role)?.modes.includes(mode.id)) continue
    throw wrong('VT_MODE', file, 'roles', `"${role}" does not work in ${mode.id}`, `add ${mode.id} to the role's \`modes\` first`)
  }
  for (const { key, template } of templatesOf(mode)) {
    if (method.templates.has(template)) continue
    const near = didYouMean(template, method.templates.keys())
    const hint = `templates: ${[...method.templates.keys()].join(', ')}`
    throw wrong('VT_MODE', file, key, `there is no template "${template}"${near}`, hint)
  }
}

function checkRole(role: RoleSpec, method: Method, file: string): void {
  for (const mode of method.modes.values()) {
    if (!mode.roles.includes(role.id) || role.modes.includes(mode.id)) continue
    const hint = `add ${mode.id}, or replace the mode in .valuetrain/modes/${mode.id}.md`
    throw wrong('VT_ROLE', file, 'modes', `${mode.id} is worked by ${role.id} and is missing`, hint)
  }
}

function templatesOf(mode: ModeSpec): { key: string; template: string }[] {
  return [
    ...mode.deliverables.map(({ id, template }) => ({ key: `deliverable "${id}"`, template })),
    ...itemsOf(mode).flatMap(({ id, evidence }) =>
      evidence.kind === 'file' && evidence.template !== undefined ? [{ key: `item "${id}"`, template: evidence.template }] : [],
    ),
  ]
}
