import { readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { EvidenceInput } from './contracts/evidence.ts'
import { OBJECT_ID } from './contracts/patterns.ts'
import { appendEvidence, peopleEvidenceRef } from './evidence-refs.ts'
import { type GatedSkip, parseSkips, UNJUDGED } from './gated-words.ts'
import type { Git } from './git.ts'
import { hookInbox } from './hook-inbox.ts'
import { subjectTrees } from './subjects.ts'

/** What the dispatcher asks of every commit before it lets it through. */
const ASKED = ['secrets', 'size']
/** Notes that one call takes; the next takes more. */
const MOST = 5_000

interface Note {
  file: string
  commit: string
  /** ISO 8601, UTC. */
  at: string
  skips: readonly GatedSkip[]
}

/**
 * Turns the notes that post-commit left in the worktrees of a clone, a file for each commit that went through its hooks, into
 * records of this clone's evidence ref, one for each tree, and removes them. The shell writes a note without starting any
 * program; what it stands for is worked out here, once somebody asks.
 *
 * @param place of any worktree of the clone; `commonDir` and `stateDir` as a `Repository` has them
 * @returns how many commits are known to be gated now that were not
 * @throws VT_GIT, VT_READ_ONLY; then the notes are still there
 */
export async function foldGatedCommits({
  git,
  commonDir,
  stateDir,
}: {
  git: Git
  commonDir: string
  stateDir: string
}): Promise<number> {
  const notes = await readNotes(commonDir)
  if (notes.length === 0) return 0
  const asked = notes.map(({ commit }) => `${commit}^{tree}\n`).join('')
  const found = (await git.text(['cat-file', '--batch-check=%(objectname)'], { input: asked })).split('\n')
  // A commit that was amended away and collected proves nothing any more.
  const alive = notes.filter((_, index) => OBJECT_ID.test(found[index] ?? ''))
  const trees = await subjectTrees(git, [...new Set(alive.map(({ commit }) => commit))])
  const records = new Map(alive.map((note) => [`${trees.get(note.commit)} ${JSON.stringify(note.skips)}`, recordOf(note, trees)]))
  if (records.size > 0) await appendEvidence(git, await peopleEvidenceRef(stateDir), ...records.values())
  // Another call may have been faster; then the same is said twice.
  for (const { file } of notes) await unlink(file).catch(() => {})
  return alive.length
}

function recordOf({ commit, at, skips }: Note, trees: ReadonlyMap<string, string>): EvidenceInput {
  const left = new Set(skips.map(({ gate }) => gate))
  return {
    v: 1,
    by: 'hook',
    stage: 'pre-commit',
    tree: trees.get(commit) as string,
    results: ASKED.filter((gate) => !left.has(gate)).map((gate) => ({ gate, verdict: 'pass' })),
    // A skip holds for the one commit it was given for.
    skips: skips.map((skip) => ({ ...skip, expires: at })),
    at,
  }
}

async function readNotes(commonDir: string): Promise<Note[]> {
  const linked = await readdir(join(commonDir, 'worktrees')).catch(() => [])
  const folders = [commonDir, ...linked.map((name) => join(commonDir, 'worktrees', name))].map(hookInbox)
  const notes: Note[] = []
  for (const folder of folders) {
    for (const name of await readdir(folder).catch(() => [])) {
      const commit = /^gated-([0-9a-f]+)$/.exec(name)?.[1]
      if (commit === undefined || !OBJECT_ID.test(commit) || notes.length >= MOST) continue
      const file = join(folder, name)
      const [text, status] = await Promise.all([readFile(file, 'utf8'), stat(file)]).catch(() => [undefined, undefined])
      if (text === undefined || status === undefined) continue
      const skips = parseSkips(text)
      if (skips === undefined || text.split(/\s+/).includes(UNJUDGED)) continue
      notes.push({ file, commit, at: status.mtime.toISOString(), skips })
    }
  }
  return notes
}
