import { readFile, stat } from 'node:fs/promises'
import { relative } from 'node:path'
import { RequestError } from '@agentclientprotocol/sdk'
import type { TurnRequest } from '../../core/contracts/runtime.ts'
import { isInside, resolveInside, writeAtomically } from '../../core/files.ts'
import { judgeTool } from '../policy.ts'

const FILE_BYTES = 10 * 1024 * 1024

/**
 * Reads a file of the worktree for an agent. A file that is not there reads as empty, which agents that are about to write it expect.
 *
 * @throws a protocol error when the path leaves the worktree by `..` or by a link, or the file is too large
 */
export async function readForAgent(
  isOffered: boolean,
  request: TurnRequest,
  { path, line, limit }: { path: string; line?: number | null; limit?: number | null },
): Promise<{ content: string }> {
  const file = await inWorktree(isOffered, request, path)
  const size = await stat(file).then(
    (found) => found.size,
    () => 0,
  )
  if (size > FILE_BYTES) throw RequestError.invalidParams(undefined, `${path} is larger than ${FILE_BYTES} bytes`)
  const content = await readFile(file, 'utf8').catch(() => '')
  if (line == null && limit == null) return { content }
  const from = Math.max(0, (line ?? 1) - 1)
  return {
    content: content
      .split('\n')
      .slice(from, limit == null ? undefined : from + limit)
      .join('\n'),
  }
}

/**
 * Writes a file of the worktree for an agent and returns its repository path.
 *
 * @param kept repository paths, or globs ending in two stars, that are not written for an agent
 * @throws a protocol error when the path leaves the worktree, is git's or ours, or the role may not write
 */
export async function writeForAgent(
  isOffered: boolean,
  request: TurnRequest,
  kept: readonly string[],
  { path, content }: { path: string; content: string },
): Promise<string> {
  const { role, mode, tools = ['read', 'write'] } = request
  const { allowed, why } = judgeTool({ role, mode, tools }, 'write')
  if (!allowed) throw RequestError.invalidParams(undefined, why)
  const file = await inWorktree(isOffered, request, path)
  const refusal = await mayWrite(file, request, kept)
  if (refusal !== undefined) throw RequestError.invalidParams(undefined, refusal)
  await writeAtomically(file, content)
  return relative(await resolveInside(request.cwd, '.'), file)
}

/** Returns why a file of the worktree is not written for an agent; undefined when it may be. @param file links resolved */
export async function mayWrite(file: string, request: TurnRequest, kept: readonly string[]): Promise<string | undefined> {
  const own = relative(await resolveInside(request.cwd, '.'), file)
  const artifacts = await resolveInside(request.cwd, request.artifacts)
  const isOurs = own.split('/').includes('.git') || (/^\.valuetrain(?:\/|$)/.test(own) && !isInside(artifacts, file))
  const isKept = kept.some((glob) => (glob.endsWith('/**') ? isInside(glob.slice(0, -3), own) : glob === own))
  return isOurs || isKept ? `${own} is not written for an agent` : undefined
}

/** Returns where a path of the worktree leads. @throws a protocol error when it leaves the worktree */
export async function inWorktree(isOffered: boolean, { cwd }: TurnRequest, path: string): Promise<string> {
  if (!isOffered) throw RequestError.methodNotFound('fs')
  return resolveInside(cwd, path).catch(() => {
    throw RequestError.invalidParams(undefined, `${path.slice(0, 200)} is not in the worktree`)
  })
}
