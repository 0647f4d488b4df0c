import type { SimpleGit } from 'simple-git'
import { requireRevision } from './refs.ts'

/** One commit, as people read it. */
export interface Commit {
  id: string
  /** ISO 8601. */
  date: string
  author: string
  subject: string
  /** Message below the subject, trailers included. */
  body: string
}

/** What a checkout has beyond its commit, for display; `takeRescue` looks closer. */
export interface Uncommitted {
  /** Null when detached. */
  branch: string | null
  staged: string[]
  changed: string[]
  deleted: string[]
  untracked: string[]
  conflicted: string[]
}

/** How large a change is, submodules and binary files included. */
export interface ChangeSize {
  files: number
  added: number
  removed: number
  paths: { path: string; added: number; removed: number; isBinary: boolean }[]
}

/** The reading, human-sized side of git: typed answers by simple-git. Plumbing stays with `openGit`. */
export interface History {
  /** Returns commits, newest first. @param range a revision or `from..to` */
  commits(range: string, options?: { limit?: number }): Promise<Commit[]>
  uncommitted(): Promise<Uncommitted>
  size(from: string, to: string): Promise<ChangeSize>
}

/**
 * Returns the history of a checkout. simple-git is loaded at the first call, so that a start-up without it costs
 * nothing.
 *
 * @param env what git starts from; simple-git itself drops GIT_* variables from it
 */
export function openHistory(dir: string, env: NodeJS.ProcessEnv): History {
  let opened: Promise<SimpleGit> | undefined
  const git = () => {
    opened ??= import('simple-git').then(({ simpleGit }) =>
      simpleGit({
        baseDir: dir,
        trimmed: true,
        maxConcurrentProcesses: 2,
        config: SAFE,
        unsafe: { allowUnsafeFsMonitor: true },
      }).env(quiet(env)),
    )
    return opened
  }
  return {
    async commits(range, { limit } = {}) {
      const format = { id: '%H', date: '%cI', author: '%an', subject: '%s', body: '%b' }
      const flags = [requireRevision(range), ...(limit === undefined ? [] : [`--max-count=${limit}`]), '--']
      const log = await (await git()).log({ format, multiLine: true, ...Object.fromEntries(flags.map((flag) => [flag, null])) })
      return log.all.map((commit) => ({ ...commit, body: commit.body.trim() }))
    },
    async uncommitted() {
      const status = await (await git()).status(['--untracked-files=all', '--ignore-submodules=dirty'])
      return {
        branch: status.detached ? null : status.current,
        staged: status.staged,
        changed: status.modified,
        deleted: status.deleted,
        untracked: status.not_added,
        conflicted: status.conflicted,
      }
    },
    async size(from, to) {
      const summary = await (await git()).diffSummary([requireRevision(from), requireRevision(to), '--no-renames', '--'])
      const paths = summary.files.map((file) =>
        file.binary
          ? { path: file.file, added: 0, removed: 0, isBinary: true }
          : { path: file.file, added: file.insertions, removed: file.deletions, isBinary: false },
      )
      return { files: summary.changed, added: summary.insertions, removed: summary.deletions, paths }
    },
  }
}

/** Nothing that files of the checkout could make git execute; the `unsafe` above only lets us switch the monitor off. */
const SAFE = ['core.fsmonitor=false', 'submodule.recurse=false', 'core.quotePath=false']

/** simple-git refuses editors, pagers and configuration by environment, which a person's shell may well have. */
function quiet(env: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(GIT_|EDITOR$|VISUAL$|PAGER$|SSH_ASKPASS$|PREFIX$)/.test(entry[0]),
  )
  return { ...Object.fromEntries(kept), LC_ALL: 'C', LANGUAGE: 'C' }
}
