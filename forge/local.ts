import { type Clock, timestamp } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { Forge } from '../core/contracts/forge.ts'
import { Issue } from '../core/contracts/issue.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { ValuetrainError } from '../core/errors.ts'
import { resolveInside, writeAtomically } from '../core/files.ts'
import type { Ids } from '../core/ids.ts'
import type { Repository } from '../core/repository.ts'
import { readerAt, readerOf } from '../core/tree.ts'
import { changeFor, changeOf } from './change.ts'
import { ISSUE_FOLDER, parseIssueFile, pathOfIssue, renderIssueFile, setState } from './issue-file.ts'
import { type IssueReading, readIssueFiles } from './issues.ts'
import { mergeInto } from './merge.ts'
import { takeNumber } from './number.ts'
import { foldTitle } from './title.ts'

export interface LocalForgeOptions {
  repository: Repository
  config: Pick<Config, 'branch' | 'remote'>
  clock: Clock
  ids: Ids
}

/** The local forge can also tell which issue files it could not read. */
export interface LocalForge extends Forge {
  readonly id: 'local'
  /** Returns the issues that read well and, beside them, every file that does not. */
  readIssues(): Promise<IssueReading>
}

/**
 * Returns the forge that needs nothing but the repository. Issues are Markdown files under `.valuetrain/issues`, read as they
 * lie in the main working tree, committed or not (in a bare repository from the default branch), and written by
 * `openIssue` and `closeIssue` only, never committed. Branches stand for pull requests, and a merge moves the default branch.
 */
export function localForge({ repository, config, clock, ids }: LocalForgeOptions): LocalForge {
  const readIssues = async () => readIssueFiles(await issueReader(repository, config.branch))
  const readIssue = async (number: number) => pick(await readIssues(), number)
  return {
    id: 'local',
    readIssues,
    listIssues: async () => (await readIssues()).issues,
    readIssue,

    async openIssue(draft) {
      const title = foldTitle(draft.title)
      const root = requireWorkingTree(repository)
      const names = await readerOf(root).list(ISSUE_FOLDER)
      const number = await takeNumber({ git: repository.git, config, ids, names })
      const path = pathOfIssue(number, title)
      const issue = Issue.parse({
        number,
        title,
        body: draft.body,
        labels: [...new Set(draft.labels ?? [])],
        assignees: [...new Set(draft.assignees ?? [])],
        state: 'open',
        createdAt: timestamp(clock),
        blockedBy: [...new Set(draft.blockedBy ?? [])],
        ...(draft.parent === undefined ? {} : { parent: draft.parent }),
        location: path,
      })
      const text = renderIssueFile(issue)
      await writeAtomically(await resolveInside(root, path), text)
      return parseIssueFile(text, path)
    },

    async closeIssue(number) {
      const issue = await readIssue(number)
      if (issue.state === 'closed') return issue
      const root = requireWorkingTree(repository)
      const text = setState((await readerOf(root).read(issue.location)) ?? '', 'closed', issue.location)
      await writeAtomically(await resolveInside(root, issue.location), text)
      return parseIssueFile(text, issue.location)
    },

    openChange: (draft) => changeFor(repository.git, draft),
    findChange: (branch) => changeOf(repository.git, branch, config.branch),

    /** Does nothing: the verdicts stand in the ticket's session, and there is no page beside a branch to repeat them on. */
    reportGate: async () => {},

    merge: (order) => mergeInto(repository.git, order, config.remote),
  }
}

async function issueReader(repository: Repository, branch: string): Promise<FileReader> {
  if (repository.root !== null) return readerOf(repository.root)
  const exists = await repository.git.succeeds(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}^{commit}`])
  return exists
    ? readerAt(repository.git, `refs/heads/${branch}`)
    : { source: branch, read: async () => undefined, list: async () => [] }
}

function pick({ issues, problems }: IssueReading, number: number): Issue {
  const issue = issues.find((candidate) => candidate.number === number)
  if (issue) return issue
  const problem = problems.find((candidate) => candidate.number === number)
  if (problem) throw problem.error
  const known = issues.map((candidate) => candidate.number)
  throw new ValuetrainError('VT_ISSUE_UNKNOWN', `there is no issue ${number} in ${ISSUE_FOLDER}`, {
    hint:
      known.length === 0
        ? 'open one with `valuetrain issue new --title "…"`'
        : `there are ${known.slice(0, 10).join(', ')}${known.length > 10 ? '…' : ''}; \`valuetrain issue list\` shows them`,
    details: { number },
  })
}

function requireWorkingTree(repository: Repository): string {
  if (repository.root !== null) return repository.root
  throw new ValuetrainError('VT_BARE', `${repository.commonDir} is a bare repository, in which issue files cannot be written`, {
    kind: 'environment',
    hint: 'clone it and open or close issues in the clone',
  })
}
