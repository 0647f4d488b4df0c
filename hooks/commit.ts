import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ticketOfBranch } from '../core/contracts/patterns.ts'
import { ValuetrainError } from '../core/errors.ts'
import { renderSkips, UNJUDGED } from '../core/gated-words.ts'
import { findSecrets } from '../core/secrets.ts'
import { messageFindings } from '../gates/message.ts'
import type { Ambient } from './ambient.ts'
import { type Found, judgeSecrets, judgeSessions, judgeSizes, placeOf } from './judge-files.ts'
import { dropRecord } from './records.ts'
import { readSettings, usualLimits, withYaml } from './settings.ts'
import { filesOf, stagedChanges, toldChanges } from './staged.ts'
import { conclude } from './verdict.ts'

/** From this size on a file may be too large by the configuration, so that it is worth being read. */
const WORTH_ASKING = 100_000

/** What git is in the middle of when it makes a commit; undefined for a plain one. */
export type Operation = 'merge' | 'rebase' | 'cherry-pick' | 'revert'

/** Returns what git is in the middle of, by the files it keeps about it. */
export function operationIn(gitDir: string): Operation | undefined {
  const has = (name: string) => existsSync(join(gitDir, name))
  if (has('rebase-merge') || has('rebase-apply')) return 'rebase'
  if (has('MERGE_HEAD')) return 'merge'
  if (has('CHERRY_PICK_HEAD')) return 'cherry-pick'
  return has('REVERT_HEAD') ? 'revert' : undefined
}

/** Returns the ticket whose branch is worked on, also while a rebase has detached HEAD from it. */
export function ticketAt({ branch, gitDir }: Ambient): string | undefined {
  if (branch !== undefined) return ticketOfBranch(branch)
  for (const folder of ['rebase-merge', 'rebase-apply']) {
    const name = textOf(join(gitDir, folder, 'head-name'), 'utf8')
    if (name !== undefined) return ticketOfBranch(name.trim().replace(/^refs\/heads\//, ''))
  }
  return undefined
}

/**
 * Judges what is staged. Answers with the head of the newest session that is committed, which the message will carry, and with
 * what the evidence of the commit has to say besides that it was judged: two words, the first of them `-` for no head.
 * While git is in the middle of something the staged files are mostly others' work, so only sessions are judged, and
 * the tree that comes out is noted as needing its gates.
 */
export async function preCommit(ambient: Ambient, hook: 'pre-commit' | 'pre-merge-commit'): Promise<number> {
  const { git } = ambient
  const ticket = ticketAt(ambient)
  const operation = hook === 'pre-merge-commit' ? 'merge' : operationIn(ambient.gitDir)
  const changes = toldChanges(0) ?? (await stagedChanges(git))
  if (operation !== undefined) {
    // A merge brings the records of other tickets, which is right.
    const files = await filesOf(
      git,
      changes.filter(({ path }) => placeOf(path)?.segment !== undefined),
      Number.POSITIVE_INFINITY,
    )
    const { findings, anchor } = await withYaml((readYaml) => judgeSessions(files, undefined, readYaml))
    const { exit } = await conclude(ambient, hook, `this ${operation}`, findings)
    if (exit === 0 && ticket !== undefined) await noteUnjudged(ambient, hook, operation, ticket)
    if (exit === 0) ambient.answer(`${anchor ?? '-'} ${UNJUDGED}\n`)
    return exit
  }
  const usual = usualLimits()
  const files = await filesOf(git, changes, usual.maxBytes, ambient.objects)
  const limits = files.some(({ bytes }) => bytes >= WORTH_ASKING) ? (await readSettings(git)).size : usual
  const { findings, anchor } = await withYaml((readYaml) => judgeSessions(files, ticket, readYaml))
  const found = [...findings, ...judgeSecrets(files), ...judgeSizes(files, limits)]
  const { exit, skips } = await conclude(ambient, hook, 'this commit', found)
  if (exit === 0 && (anchor !== undefined || skips.length > 0)) {
    ambient.answer(`${anchor ?? '-'}${skips.length === 0 ? '' : ` ${renderSkips(skips)}`}\n`)
  }
  return exit
}

async function noteUnjudged(ambient: Ambient, hook: string, operation: Operation, ticket: string): Promise<void> {
  const message = `a ${operation} on the branch of ${ticket} makes a tree that nobody judged; its gates are due`
  await dropRecord(ambient, hook, { rule: 'needs-gates', severity: 'notice', message })
}

/** Judges a commit's message as it will be committed: trailer on a ticket's branch, configured style, no secret. */
export async function commitMessage(ambient: Ambient, [path]: readonly string[]): Promise<number> {
  if (path === undefined) {
    throw new ValuetrainError('VT_HOOK_ARGUMENT', 'commit-msg was called without the file of a message', {
      hint: 'git calls hooks by itself; `valuetrain hooks test` shows whether it does',
    })
  }
  const raw = textOf(resolve(ambient.cwd, path), 'latin1') ?? ''
  const message = await withoutComments(ambient, raw)
  const ticket = ticketAt(ambient)
  const { conventional } = await readSettings(ambient.git)
  const isMerge = operationIn(ambient.gitDir) === 'merge'
  const found: Found[] = messageFindings({ id: '', parents: isMerge ? ['', ''] : [], message }, ticket, conventional).map(
    (finding) => ({ ...finding, check: 'message' }),
  )
  if (message === '' || /^Valuetrain-[A-Za-z]+: /.test(message)) {
    found.unshift({ check: 'message', rule: 'empty', severity: 'error', message: 'the message says nothing but its trailers' })
  }
  if (findSecrets(message).length > 0) {
    found.push({ check: 'secrets', rule: 'secret', severity: 'error', message: 'the message holds what looks like a secret' })
  }
  return (await conclude(ambient, 'commit-msg', 'this message', found)).exit
}

/** git takes comments and all below the scissors line away after this hook. */
async function withoutComments({ git }: Ambient, raw: string): Promise<string> {
  const { stdout } = await git.run(['config', '--get', 'core.commentChar'], { okExit: [0, 1] })
  const mark = stdout.trim().length === 1 ? stdout.trim() : '#'
  const lines = raw.replace(/\r\n/g, '\n').split('\n')
  const cut = lines.findIndex((line) => line.startsWith(`${mark} ------------------------ >8`))
  const kept = (cut < 0 ? lines : lines.slice(0, cut)).filter((line) => !line.startsWith(mark))
  return kept.join('\n').trim()
}

function textOf(file: string, encoding: 'utf8' | 'latin1'): string | undefined {
  try {
    return readFileSync(file, encoding)
  } catch {
    return undefined
  }
}
