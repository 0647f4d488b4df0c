import * as YAML from 'yaml'
import * as z from 'zod'
import { checkShape } from '../core/config.ts'
import type { Issue } from '../core/contracts/issue.ts'
import { IssueNumber } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { parseFrontMatter, renderFrontMatter } from '../core/frontmatter.ts'
import { foldTitle, slugOf } from './title.ts'

/** Where a repository keeps the issues of its local forge. */
export const ISSUE_FOLDER = '.valuetrain/issues'

const ISSUE_NAME = /^([1-9][0-9]{0,8})(?:-.*)?\.md$/
/** A day, or an instant with its offset: what means the same on every machine. */
const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/
/** An issue without a date counts as older than all that have one. */
const UNDATED = '1970-01-01T00:00:00.000Z'

/** Front matter of an issue file. Keys that are not listed belong to their author and are kept. */
const FrontMatter = z.looseObject({
  number: IssueNumber.optional(),
  title: z.string('is not text; put it in quotes').min(1, 'is empty'),
  labels: z.array(z.string()).nullish(),
  assignees: z.array(z.string()).nullish(),
  state: z.enum(['open', 'closed']).default('open'),
  created: z.string().regex(INSTANT, 'is not a date like 2026-01-31 or 2026-01-31T09:30:00Z').optional(),
  blockedBy: z.array(IssueNumber).nullish(),
  parent: IssueNumber.nullish(),
})

/** Returns the number an issue file's name says, or undefined when the name is not one of an issue (`12-fix-rounding.md`). */
export function numberOfFile(name: string): number | undefined {
  const digits = ISSUE_NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Returns the repository path for a new issue. */
export function pathOfIssue(number: number, title: string): string {
  return `${ISSUE_FOLDER}/${number}-${slugOf(title)}.md`
}

/**
 * Returns the issue that a file's text says.
 *
 * @param path repository path, named in errors; its file name says the number
 * @throws VT_CONFIG, VT_YAML, VT_FRONT_MATTER, VT_FRONT_MATTER_LANGUAGE naming file and key; VT_ISSUE_NUMBER when the
 *   file name and the front matter disagree
 */
export function parseIssueFile(text: string, path: string): Issue {
  const number = numberOfFile(path.slice(path.lastIndexOf('/') + 1))
  const { data, body } = parseFrontMatter(text, path)
  const front = checkShape(FrontMatter, data, path)
  if (number === undefined || (front.number !== undefined && front.number !== number)) {
    throw new ValuetrainError(
      'VT_ISSUE_NUMBER',
      `${path}: the file name says ${number ?? 'no number'}, the front matter ${front.number}`,
      {
        kind: 'config',
        hint: 'give both the same number; `valuetrain issue new` takes a free one',
      },
    )
  }
  return {
    number,
    title: foldTitle(front.title),
    body: body.replace(/^\n+/, ''),
    labels: front.labels ?? [],
    assignees: front.assignees ?? [],
    state: front.state,
    createdAt: front.created === undefined ? UNDATED : instantOf(front.created, path),
    blockedBy: front.blockedBy ?? [],
    ...(typeof front.parent === 'number' ? { parent: front.parent } : {}),
    location: path,
  }
}

/** Returns the text of a new issue's file; `parseIssueFile` reads the same issue back. */
export function renderIssueFile(issue: Omit<Issue, 'location'>): string {
  const data = {
    number: issue.number,
    title: issue.title,
    labels: issue.labels,
    assignees: issue.assignees,
    state: issue.state,
    created: issue.createdAt,
    ...(issue.blockedBy.length > 0 ? { blockedBy: issue.blockedBy } : {}),
    ...(issue.parent === undefined ? {} : { parent: issue.parent }),
  }
  const body = issue.body.replaceAll('\r\n', '\n').toWellFormed()
  return renderFrontMatter(data, body === '' ? '' : `\n${body.endsWith('\n') ? body : `${body}\n`}`)
}

/**
 * Returns the text with the issue's state set and every other byte kept: comments, unknown keys, order and line ends.
 *
 * @param path named in errors
 * @throws VT_FRONT_MATTER when the text has no front matter to edit
 */
export function setState(text: string, state: Issue['state'], path: string): string {
  const fence = /^\uFEFF?---[^\n]*\n/.exec(text)
  const start = fence?.[0].length ?? 0
  const end = fence ? text.slice(start).search(/^---[ \t]*\r?$/m) : -1
  if (end < 0) {
    throw new ValuetrainError('VT_FRONT_MATTER', `${path}: there is no front matter to set the state in`, {
      kind: 'config',
      hint: 'begin the file with a line of three dashes, `title: …` and another line of three dashes',
    })
  }
  const yaml = text.slice(start, start + end)
  return text.slice(0, start) + editState(yaml, state) + text.slice(start + end)
}

function editState(yaml: string, state: string): string {
  const document = YAML.parseDocument(yaml)
  const map = document.contents
  if (!YAML.isMap(map) || map.flow) {
    document.set('state', state)
    return document.toString({ lineWidth: 0 })
  }
  const pair = map.items.find((item) => YAML.isScalar(item.key) && item.key.value === 'state')
  if (YAML.isScalar(pair?.value) && pair.value.range && pair.value.source !== '') {
    const [from, to] = pair.value.range
    return yaml.slice(0, from) + state + yaml.slice(to)
  }
  if (pair) {
    document.set('state', state)
    return document.toString({ lineWidth: 0 })
  }
  const newline = yaml.includes('\r\n') ? '\r\n' : '\n'
  return `${yaml}${yaml === '' || yaml.endsWith('\n') ? '' : newline}state: ${state}${newline}`
}

function instantOf(text: string, path: string): string {
  const time = Date.parse(text)
  if (Number.isNaN(time)) {
    throw new ValuetrainError('VT_CONFIG', `${path}: created: ${text} is no day of the calendar`, {
      kind: 'config',
      hint: 'write it like 2026-01-31',
    })
  }
  return new Date(time).toISOString()
}
