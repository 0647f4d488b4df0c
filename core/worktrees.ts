import { setTimeout as delay } from 'node:timers/promises'
import { ValuetrainError } from './errors.ts'
import type { Repository } from './repository.ts'

/** One line of `git worktree list`. */
export interface WorktreeEntry {
  /** Absolute; need not exist any more. */
  dir: string
  /** Null in a bare repository. */
  head: string | null
  /** Without `refs/heads/`; null when detached or bare. */
  branch: string | null
  isMain: boolean
  isLocked: boolean
}

/**
 * Returns all worktrees of the clone, the main one first. While another process adds one, git may trip over its
 * half-written record; that passes in milliseconds, so the question is put again.
 */
export async function listWorktrees(repo: Repository): Promise<WorktreeEntry[]> {
  for (let round = 0; ; round++) {
    const listed = await repo.git.run(['worktree', 'list', '--porcelain', '-z'], { okExit: [0, 128] })
    if (listed.code === 0) return parse(listed.stdout)
    if (round === 20) {
      throw new ValuetrainError('VT_GIT', `the worktrees could not be listed: ${listed.stderr.trim().slice(0, 400)}`, {
        kind: 'environment',
        hint: 'run `git worktree list` and mend what it names',
      })
    }
    await delay(25)
  }
}

function parse(output: string): WorktreeEntry[] {
  const blocks = output.split('\0\0').filter((block) => block !== '')
  return blocks.map((block, at) => {
    const facts = new Map<string, string>()
    for (const line of block.split('\0')) {
      const space = line.indexOf(' ')
      facts.set(space < 0 ? line : line.slice(0, space), space < 0 ? '' : line.slice(space + 1))
    }
    return {
      dir: facts.get('worktree') ?? '',
      head: facts.get('HEAD') ?? null,
      branch: facts.get('branch')?.replace(/^refs\/heads\//, '') ?? null,
      isMain: at === 0,
      isLocked: facts.has('locked'),
    }
  })
}
