import { EVIDENCE_REFS, listEvidence, readEvidence } from '../../core/evidence-refs.ts'
import type { Git } from '../../core/git.ts'
import { requireRevision } from '../../core/refs.ts'
import { subjectTrees } from '../../core/subjects.ts'
import { parseEvidence } from './evidence.ts'

/**
 * Returns the evidence refs that may go: those of done tickets, and those of hooks when none of their trees is that of a
 * commit which is still on its way into the default branch, of whatever branch or checkout.
 *
 * @param main commit of the default branch
 * @param done tickets that are done
 */
export async function spentEvidence(git: Git, main: string, done: ReadonlySet<string>): Promise<{ ref: string; tip: string }[]> {
  const refs = await listEvidence(git)
  const ofPeople = refs.filter(({ ref }) => ref.startsWith(`${EVIDENCE_REFS}/people/`))
  const spent = refs.filter(({ ref }) => done.has(ref.slice(EVIDENCE_REFS.length + 1)))
  if (ofPeople.length === 0) return spent
  const range = ['--exclude=refs/valuetrain/*', '--all', '--not', requireRevision(main)]
  const unmerged = (await git.text(['rev-list', ...range])).split('\n').filter((commit) => commit !== '')
  const needed = new Set((await subjectTrees(git, unmerged)).values())
  const stored = await readEvidence(git)
  for (const { ref, tip } of ofPeople) {
    const { records } = parseEvidence(stored.filter((record) => record.ref === ref))
    if (!records.some(({ tree }) => needed.has(tree))) spent.push({ ref, tip })
  }
  return spent
}
