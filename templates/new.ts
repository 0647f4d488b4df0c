import { MODES, type ModeId, SLUG } from '../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { readAsset } from './plan.ts'

export const KINDS = ['gate', 'runtime', 'mode', 'pipeline'] as const
export type Kind = (typeof KINDS)[number]

/** A file to start from, and the line of the configuration that makes it count, where one is needed. */
export interface Skeleton {
  path: string
  content: string
  /** List of the configuration that has to name the path. */
  list?: readonly [string, string]
  /** What to do next, as sentences. */
  next: string[]
}

/**
 * Returns the file that begins a gate, runtime, mode or pipeline of a repository's own. It works as it stands.
 *
 * @param readMode returns the text of a built-in mode; a mode starts as a copy of the one it replaces
 * @throws VT_NAME when the name is no slug; VT_MODE when there is no such mode to replace
 */
export async function skeletonOf(kind: Kind, name: string, readMode: (mode: ModeId) => Promise<string>): Promise<Skeleton> {
  if (!SLUG.test(name) || name.length > 60) {
    throw new ValuetrainError('VT_NAME', `"${name.slice(0, 80)}" cannot be the name of a ${kind}`, {
      hint: 'use a-z, 0-9 and single dashes, beginning with a letter, up to 60 characters',
    })
  }
  switch (kind) {
    case 'gate':
      return {
        ...(await fromAsset('gate.mjs', `.valuetrain/extensions/${name}.mjs`, name)),
        list: ['extensions', 'gates'],
        next: ['say what it looks for in `judge`', 'commit it; `valuetrain gate list` then shows it'],
      }
    case 'runtime':
      return {
        ...(await fromAsset('runtime.mjs', `.valuetrain/extensions/${name}.mjs`, name)),
        list: ['extensions', 'runtimes'],
        next: ['put your program into ARGV', `commit it; issues labelled agent:${name} then go to it`],
      }
    case 'pipeline':
      return {
        ...(await fromAsset('pipeline.yaml', `.valuetrain/pipelines/${name}.yaml`, name)),
        next: [
          `\`valuetrain pipeline show ${name}\` prints and checks it`,
          `commit it; \`valuetrain run ISSUE --pipeline ${name}\` then uses it`,
        ],
      }
    case 'mode':
      return modeSkeleton(name, readMode)
  }
}

/** There are nine modes and no tenth, so a new mode file is one of them, changed. */
async function modeSkeleton(name: string, readMode: (mode: ModeId) => Promise<string>): Promise<Skeleton> {
  const mode = MODES.find((id) => id === name)
  if (!mode) {
    throw new ValuetrainError('VT_MODE', `there is no mode "${name}"${didYouMean(name, MODES)}`, {
      hint: `a mode file replaces one of the nine: ${MODES.join(', ')}`,
    })
  }
  return {
    path: `.valuetrain/modes/${name}.md`,
    content: await readMode(mode),
    next: [
      `change what ${name} asks; items that pipelines name have to stay`,
      `\`valuetrain mode show ${name}\` prints and checks it`,
      'commit it; tickets that begin after that use it',
    ],
  }
}

async function fromAsset(asset: string, path: string, name: string): Promise<{ path: string; content: string }> {
  const title = name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ')
  const text = await readAsset(`new/${asset}`)
  return { path, content: text.replaceAll('__NAME__', name).replaceAll('__TITLE__', title) }
}
