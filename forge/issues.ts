import type { Issue } from '../core/contracts/issue.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { ValuetrainError } from '../core/errors.ts'
import { ISSUE_FOLDER, numberOfFile, parseIssueFile } from './issue-file.ts'

/** An issue file that could not be read, as a fact to show rather than a reason to stop. */
export interface IssueProblem {
  /** Repository path. */
  file: string
  /** What the file name says, when it says a number. */
  number: number | undefined
  /** The error that reading it alone raises. */
  error: ValuetrainError
}

/** Everything in the issue folder: what reads well, by number, and what does not, by file. */
export interface IssueReading {
  issues: Issue[]
  problems: IssueProblem[]
}

/** A longer text is not an issue but something that landed in the wrong folder. */
const MAX_CHARACTERS = 2_000_000

/** Returns all issues of a folder or revision. A malformed file is a problem of its own and hides none of the others. */
export async function readIssueFiles(reader: FileReader): Promise<IssueReading> {
  const names = (await reader.list(ISSUE_FOLDER)).filter((name) => /^\d.*\.md$/.test(name))
  const issues: Issue[] = []
  const problems: IssueProblem[] = []
  for (const reading of await Promise.all(names.map((name) => readOne(reader, name)))) {
    if ('error' in reading) problems.push(reading)
    else issues.push(reading)
  }
  const claimants = (issue: Issue) => issues.filter((other) => other.number === issue.number)
  const doubled = issues.filter((issue) => claimants(issue).length > 1)
  problems.push(...doubled.map((issue) => duplicate(issue, claimants(issue))))
  return {
    issues: issues.filter((issue) => !doubled.includes(issue)).sort((a, b) => a.number - b.number),
    problems: problems.sort((a, b) => (a.file < b.file ? -1 : 1)),
  }
}

async function readOne(reader: FileReader, name: string): Promise<Issue | IssueProblem> {
  const file = `${ISSUE_FOLDER}/${name}`
  const number = numberOfFile(name)
  try {
    if (number === undefined) throw misnamed(file)
    const text = await reader.read(file)
    if (text === undefined) throw unreadable(file, 'it is not a file')
    if (text.length > MAX_CHARACTERS) throw unreadable(file, `it has ${text.length} characters`)
    return parseIssueFile(text, file)
  } catch (cause) {
    return { file, number, error: cause instanceof ValuetrainError ? cause : unreadable(file, (cause as Error).message, cause) }
  }
}

function misnamed(file: string): ValuetrainError {
  return new ValuetrainError('VT_ISSUE_NUMBER', `${file}: the file name has no issue number`, {
    kind: 'config',
    hint: 'name it like 12-fix-rounding.md, without leading zeros',
  })
}

function duplicate({ number, location: file }: Issue, claimants: readonly Issue[]): IssueProblem {
  const files = claimants.map((issue) => issue.location).join(' and ')
  const error = new ValuetrainError('VT_ISSUE_DUPLICATE', `issue ${number} is in ${claimants.length} files: ${files}`, {
    kind: 'config',
    hint: 'rename one of them and its `number` to a free one, or remove it',
  })
  return { file, number, error }
}

function unreadable(file: string, why: string, cause?: unknown): ValuetrainError {
  return new ValuetrainError('VT_ISSUE_UNREADABLE', `${file} cannot be read as an issue: ${why}`, {
    kind: 'config',
    hint: 'an issue is a Markdown file with front matter, directly in that folder',
    cause,
  })
}
