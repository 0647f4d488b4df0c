import { readFile } from 'node:fs/promises'
import { CONFIG_FILE } from '../core/config.ts'
import type { FileReader } from '../core/contracts/method.ts'
import type { Detected, Place } from './clues.ts'
import { renderConfig } from './config-file.ts'

/** One file that setting up would touch. */
export interface PlannedFile {
  path: string
  /** `keep`: it is there and stays as it is. */
  action: 'create' | 'append' | 'keep'
  /** The whole new text; absent with `keep`. */
  content?: string
  why: string
}

export interface InitPlan {
  files: PlannedFile[]
  notes: string[]
}

const ISSUE_TEMPLATES = ['product-requirement.md', 'user-story.md', 'task.md', 'risk.md', 'mitigation.md'] as const

/**
 * Returns what setting a repository up would write. Nothing that is there is overwritten; the only file that is added
 * to is `.gitattributes`, by a marked block and only when that is missing. A second plan on the result keeps everything.
 */
export async function initPlan(detected: Detected, place: Place, reader: FileReader): Promise<InitPlan> {
  const files = [await configFile(detected, place, reader), await attributesFile(reader)]
  if (place.forge === 'local') {
    files.push(await fileFrom('local/issues-readme.md', '.valuetrain/issues/README.md', 'says how issues are written', reader))
  }
  if (place.forge === 'github' || (await reader.list('.github')).length > 0 || (await hasFolder(reader, '.github'))) {
    files.push(...(await githubFiles(reader)))
  }
  return { files, notes: detected.notes }
}

/** Marks of the block in `.gitattributes`; what stands between them is ours. */
export const ATTRIBUTES_BEGIN = '# valuetrain: begin'
const ATTRIBUTES_END = '# valuetrain: end'
const ATTRIBUTES = [
  ATTRIBUTES_BEGIN,
  '# Sessions are an audit trail: the same bytes on every machine, folded away in reviews, never merged line by line.',
  '.valuetrain/tickets/**/session-*.md text eol=lf linguist-generated',
  '.valuetrain/tickets/**/ticket.md text eol=lf linguist-generated',
  '.valuetrain/tickets/**/checklist.md text eol=lf linguist-generated',
  '.valuetrain/tickets/**/*.torn-* -text linguist-generated',
  ATTRIBUTES_END,
] as const

async function configFile(detected: Detected, place: Place, reader: FileReader): Promise<PlannedFile> {
  if ((await reader.read(CONFIG_FILE)) !== undefined) return keep(CONFIG_FILE, 'the configuration is there')
  return { path: CONFIG_FILE, action: 'create', content: renderConfig(detected, place), why: 'the configuration' }
}

async function attributesFile(reader: FileReader): Promise<PlannedFile> {
  const path = '.gitattributes'
  const text = await reader.read(path)
  const why = 'keeps session files byte for byte'
  if (text === undefined || text === '') return { path, action: 'create', content: `${ATTRIBUTES.join('\n')}\n`, why }
  if (text.includes(ATTRIBUTES_BEGIN)) return keep(path, 'the lines for session files are there')
  const end = text.includes('\r\n') ? '\r\n' : '\n'
  const gap = /\n$/.test(text) ? end : `${end}${end}`
  return { path, action: 'append', content: `${text}${gap}${ATTRIBUTES.join(end)}${end}`, why }
}

async function githubFiles(reader: FileReader): Promise<PlannedFile[]> {
  const folder = '.github/ISSUE_TEMPLATE'
  const there = await reader.list(folder)
  const foreign = there.filter((name) => !(ISSUE_TEMPLATES as readonly string[]).includes(name))
  const issues =
    foreign.length > 0
      ? [keep(folder, `has templates of its own (${foreign.slice(0, 3).join(', ')})`)]
      : await Promise.all(
          ISSUE_TEMPLATES.map((name) =>
            fileFrom(`github/ISSUE_TEMPLATE/${name}`, `${folder}/${name}`, 'an issue template', reader),
          ),
        )
  return [...issues, await pullRequestFile(reader)]
}

/** GitHub takes this template from three folders and in any spelling, so any of them counts. */
async function pullRequestFile(reader: FileReader): Promise<PlannedFile> {
  for (const folder of ['.github', '.', 'docs']) {
    const found = (await reader.list(folder)).find((name) => /^pull_request_template(\.\w+)?$/i.test(name))
    if (found) return keep(folder === '.' ? found : `${folder}/${found}`, 'a pull-request template is there')
  }
  return fileFrom('github/pull_request_template.md', '.github/pull_request_template.md', 'the pull-request template', reader)
}

async function hasFolder(reader: FileReader, folder: string): Promise<boolean> {
  const inside = [`${folder}/workflows`, `${folder}/ISSUE_TEMPLATE`]
  return (await Promise.all(inside.map((path) => reader.list(path)))).some((names) => names.length > 0)
}

async function fileFrom(asset: string, path: string, why: string, reader: FileReader): Promise<PlannedFile> {
  if ((await reader.read(path)) !== undefined) return keep(path, 'is there')
  return { path, action: 'create', content: await readAsset(asset), why }
}

function keep(path: string, why: string): PlannedFile {
  return { path, action: 'keep', why }
}

/** Returns the text of a file that comes with the package, by its path in `templates/files`. */
export function readAsset(path: string): Promise<string> {
  return readFile(new URL(`./files/${path}`, import.meta.url), 'utf8')
}
