import matter from 'gray-matter'
import * as YAML from 'yaml'
import { ValuetrainError } from './errors.ts'

export interface Document {
  data: Record<string, unknown>
  body: string
}

const refuse = (language: string) => () => {
  throw new ValuetrainError('VT_FRONT_MATTER_LANGUAGE', `front matter in ${language} is not read`, {
    kind: 'config',
    hint: 'write the front matter in YAML, between two lines of three dashes',
  })
}

/**
 * gray-matter runs `---js` front matter as code and caches by content when called without options,
 * so it gets one YAML engine of ours and engines that refuse for everything else it knows.
 */
const OPTIONS = {
  language: 'yaml',
  engines: {
    yaml: { parse: (text: string) => parseMapping(text, 'front matter'), stringify: (data: object) => YAML.stringify(data) },
    json: refuse('JSON'),
    javascript: refuse('JavaScript'),
    js: refuse('JavaScript'),
    coffee: refuse('CoffeeScript'),
    cson: refuse('CSON'),
    toml: refuse('TOML'),
  },
}

/**
 * Returns the front matter and the body of a Markdown text. A text without front matter has empty data.
 *
 * @param file named in errors
 * @throws VT_FRONT_MATTER when it is torn, not YAML or not a mapping; VT_FRONT_MATTER_LANGUAGE when it names
 *   another language (it is never executed)
 */
export function parseFrontMatter(text: string, file: string): Document {
  const source = text.replace(/^\uFEFF/, '').replace(/\r\n/g, '\n')
  const fence = /^---([^\n]*)\n/.exec(source)
  if (!fence) return { data: {}, body: source }
  const language = (fence[1] ?? '').trim()
  if (language !== '' && language !== 'yaml' && language !== 'yml') {
    throw new ValuetrainError('VT_FRONT_MATTER_LANGUAGE', `${file}: front matter in "${language.slice(0, 20)}" is not read`, {
      kind: 'config',
      hint: 'write the front matter in YAML, between two lines of three dashes',
    })
  }
  if (!/\n---[ \t]*(?:\n|$)/.test(source.slice(fence[0].length - 1))) {
    throw new ValuetrainError('VT_FRONT_MATTER', `${file}: the front matter is never closed`, {
      kind: 'config',
      hint: 'end it with a line of three dashes',
    })
  }
  try {
    const { data, content } = matter(source.replace(/^---[^\n]*\n/, '---\n'), OPTIONS as never)
    return { data: data as Record<string, unknown>, body: content }
  } catch (cause) {
    if (cause instanceof ValuetrainError) {
      throw new ValuetrainError(cause.code as 'VT_YAML', `${file}: ${cause.message}`, {
        kind: 'config',
        ...(cause.hint ? { hint: cause.hint } : {}),
        cause,
      })
    }
    throw new ValuetrainError('VT_FRONT_MATTER', `${file}: ${(cause as Error).message}`, { kind: 'config', cause })
  }
}

/** Returns Markdown with front matter; `parseFrontMatter` reads the same data and body back. */
export function renderFrontMatter(data: Record<string, unknown>, body: string): string {
  return `---\n${YAML.stringify(data, { lineWidth: 0 })}---\n${body}`
}

/**
 * Returns a YAML text's mapping, with at most 100 aliases resolved, so that a small file cannot explode.
 *
 * @param what named in errors, e.g. the file
 * @throws VT_YAML when it does not parse, explodes or is no mapping
 */
export function parseMapping(text: string, what: string): Record<string, unknown> {
  const value = parseYaml(text, what)
  if (value === null || value === undefined) return {}
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ValuetrainError('VT_YAML', `${what} is not a mapping`, { kind: 'config', hint: 'write it as `key: value` lines' })
  }
  return value as Record<string, unknown>
}

/** Returns any YAML value, aliases limited. @throws VT_YAML with the line when it does not parse */
export function parseYaml(text: string, what: string): unknown {
  const document = YAML.parseDocument(text, { prettyErrors: true, uniqueKeys: true })
  const problem = document.errors[0]
  if (problem) {
    throw new ValuetrainError('VT_YAML', `${what}: ${problem.message.split('\n')[0]}`, {
      kind: 'config',
      hint: 'mend the YAML at that line',
      cause: problem,
    })
  }
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw new ValuetrainError('VT_YAML', `${what}: ${(cause as Error).message}`, {
      kind: 'config',
      hint: 'use fewer YAML aliases',
      cause,
    })
  }
}
