import { mkdir, readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { Actor, Via } from '../core/contracts/event.ts'
import { ValuetrainError } from '../core/errors.ts'
import { writeAtomically } from '../core/files.ts'
import type { Repository } from '../core/repository.ts'
import { listWorktrees } from '../core/worktree.ts'
import { applyAct, DeskAct } from './acts.ts'
import type { Definitions } from './definitions.ts'
import type { Desk } from './desk.ts'
import { foldHookRecords } from './hook-records.ts'

/**
 * What an operator wants of a ticket that another process is working: one file a request in the worktree's own git
 * directory. Only the process that works the ticket writes its session, so the request is folded in there.
 */
export const Request = z.object({ act: DeskAct, actor: Actor, via: Via.optional() })
export type Request = z.infer<typeof Request>

const POLL_MS = 300

function inboxOf(gitDir: string): string {
  return join(gitDir, 'valuetrain', 'inbox')
}

/** Drops a request for the process that works the ticket; it is picked up within a second. */
export async function dropRequest(gitDir: string, id: string, request: Request): Promise<void> {
  await mkdir(inboxOf(gitDir), { recursive: true })
  await writeAtomically(join(inboxOf(gitDir), `${id}.json`), `${JSON.stringify(request)}\n`)
}

/** Whether somebody asked for something of a ticket just when nobody worked it any more, so that it lies there still. */
export async function hasRequests(repository: Repository, branch: string): Promise<boolean> {
  const worktree = (await listWorktrees(repository)).find((candidate) => candidate.branch === branch)
  if (worktree === undefined) return false
  const gitDir = await repository.git.at(worktree.dir).text(['rev-parse', '--absolute-git-dir'])
  return (await requestsIn(gitDir)).some(({ request }) => request !== undefined)
}

/**
 * Records what hooks noticed and what operators have asked for, oldest first. What the ticket does not take now is recorded
 * with the reason; a file that is not a request is left and told.
 */
export async function foldInbox(desk: Desk, definitions: Definitions): Promise<void> {
  await foldHookRecords(desk)
  for (const { file, request } of await requestsIn(desk.worktree.gitDir)) {
    if (request === undefined) {
      desk.ports.onProgress(desk.ticket, `a request in the inbox cannot be read and is left there: ${file}`)
      continue
    }
    const { act, ...speaker } = request
    try {
      await applyAct(desk, act, speaker, definitions)
    } catch (error) {
      if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
      const text = `Asked to ${act.type}, which was not done: ${error.message}`
      await desk.record('COMMENTED', { actor: speaker.actor, ...(speaker.via ? { via: speaker.via } : {}), text })
    }
    await unlink(join(inboxOf(desk.worktree.gitDir), file))
  }
}

/** Watches for a pause or an abort while something long runs, and aborts that. */
export function watchInbox(desk: Desk, outer: AbortSignal): { signal: AbortSignal; close(): void } {
  const asked = new AbortController()
  const timer = setInterval(() => {
    requestsIn(desk.worktree.gitDir)
      .then((requests) => {
        const stop = requests.find(({ request }) => request?.act.type === 'pause' || request?.act.type === 'abort')
        if (stop) asked.abort(new Error(`the operator asked to ${stop.request?.act.type}`))
      })
      .catch(() => {}) // The folder may go with the worktree; the loop itself reports what matters.
  }, POLL_MS)
  timer.unref()
  return { signal: AbortSignal.any([outer, asked.signal]), close: () => clearInterval(timer) }
}

async function requestsIn(gitDir: string): Promise<{ file: string; request: Request | undefined }[]> {
  const names = await readdir(inboxOf(gitDir)).catch(() => [])
  const files = names.filter((name) => /^[0-9A-Z]{26}\.json$/.test(name)).sort()
  return Promise.all(
    files.map(async (file) => {
      const text = await readFile(join(inboxOf(gitDir), file), 'utf8').catch(() => '')
      const parsed = Request.safeParse(parseJson(text))
      return { file, request: parsed.success ? parsed.data : undefined }
    }),
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
