import { ValuetrainError } from '../core/errors.ts'
import { resolveInside, writeAtomically } from '../core/files.ts'
import { ALIASES, type Promotion, policyNames, promotionFile, renderPromotion, unknownPolicy } from '../training/policy/index.ts'
import { flag } from './command.ts'
import type { TrainingPlace } from './training.ts'

/** The alias a command is about. */
export const aliasFlag = flag.choice(ALIASES, 'The alias; champion unless told.')

/** Returns a policy's name as it is known. @throws VT_POLICY_UNKNOWN with the nearest name */
export async function policyNamed({ shared }: TrainingPlace, name: string): Promise<string> {
  const known = await policyNames(shared.reader)
  if (known.includes(name)) return name
  throw unknownPolicy(name, known)
}

/**
 * Writes a record and commits it, nothing else with it.
 *
 * @returns the commit, and whether it is on the default branch and so counts
 */
export async function commitPromotion(
  place: TrainingPlace,
  record: Promotion,
): Promise<{ file: string; commit: string; counts: boolean }> {
  const { git, root, branch } = place
  const file = promotionFile(record)
  await writeAtomically(await resolveInside(root, file), renderPromotion(record))
  const message = [
    `${record.act === 'rollback' ? 'Roll back' : 'Promote'} ${record.policy} ${record.alias} to run ${record.run}`,
    '',
    `Valuetrain-Run: ${record.run}`,
    `Valuetrain-Verdict: ${record.verdict}`,
    `Valuetrain-Artifact: sha256:${record.version}`,
    '',
  ].join('\n')
  await git.run(['add', '--', `:(top,literal)${file}`])
  await git.run(['commit', '--quiet', '--only', '--file=-', '--', `:(top,literal)${file}`], { input: message, hooks: true })
  const [commit, head] = [
    await git.text(['rev-parse', 'HEAD']),
    await git.run(['symbolic-ref', '--quiet', '--short', 'HEAD'], { okExit: [0, 1] }),
  ]
  return { file, commit, counts: head.stdout.trim() === branch }
}

/** @throws VT_RUN_UNCOMMITTED when a run is not committed as it lies here: what is promoted has to be in the history */
export async function requireCommitted({ git }: TrainingPlace, folder: string, run: string): Promise<void> {
  const changed = await git.fields(['status', '--porcelain=v1', '-z', '--untracked-files=all', '--', `:(top,literal)${folder}`])
  if (changed.length === 0) return
  throw new ValuetrainError('VT_RUN_UNCOMMITTED', `run ${run} is not committed (${changed.length} files)`, {
    hint: `git add ${folder} && git commit -m "Train run ${run}", then promote it`,
  })
}
