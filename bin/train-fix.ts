import { readFile, rm } from 'node:fs/promises'
import { relative } from 'node:path'
import { ValuetrainError } from '../core/errors.ts'
import { writeAtomically } from '../core/files.ts'
import type { Diagnosis, Fix } from '../training/errors/index.ts'
import { diagnosisFile, parseTrainConfig, type TrainConfig } from '../training/run/index.ts'
import { withValue } from './config-edit.ts'
import type { Context } from './context.ts'
import type { NamedConfig, TrainingPlace } from './training.ts'

/**
 * Changes a configuration file by the best fix of a diagnosis that is a change of that file and was tried least often, and commits the file alone.
 * Comments and order stay; a file that would not be valid is not written.
 *
 * @throws VT_FIX_NOTHING when there is nothing to apply; VT_FIX_RECIPE for a built-in recipe; VT_FIX_DIRTY when the file
 *   has changes of somebody's own
 */
export async function applyFix(
  context: Context,
  place: TrainingPlace,
  { config, file, source }: NamedConfig<TrainConfig>,
  diagnosis: Diagnosis | undefined,
  json: boolean,
): Promise<number> {
  const fix = diagnosis === undefined ? undefined : await nextFix(diagnosis, file, place)
  if (diagnosis === undefined || fix === undefined) {
    throw new ValuetrainError(
      'VT_FIX_NOTHING',
      diagnosis === undefined
        ? `nothing failed while ${config.name} was trained here`
        : `${diagnosis.code} has no fix in ${source}`,
      { hint: diagnosis?.fixes[0]?.does ?? 'train it first' },
    )
  }
  if (file === undefined) {
    throw new ValuetrainError('VT_FIX_RECIPE', `${source} is a built-in recipe, which is not changed`, {
      hint: `write a train.yaml with \`recipe: ${source}\` and train that`,
    })
  }
  const path = relative(place.root, file).replaceAll('\\', '/')
  const isChanged = (await place.git.fields(['status', '--porcelain=v1', '-z', '--', `:(top,literal)${path}`])).length > 0
  if (isChanged) {
    throw new ValuetrainError('VT_FIX_DIRTY', `${path} has changes that are not committed`, { hint: 'commit them first' })
  }
  const before = await readFile(file, 'utf8')
  const after = Object.entries(fix.patch).reduce((text, [key, value]) => withValue(text, key.split('.'), value), before)
  await parseTrainConfig(after, source)
  await writeAtomically(file, after)
  const message = `${subjectOf(diagnosis, fix)}\n\nValuetrain-Fix: ${diagnosis.code}\n`
  await place.git.run(['add', '--', `:(top,literal)${path}`])
  await place.git.run(['commit', '--quiet', '--only', '--file=-', '--', `:(top,literal)${path}`], { input: message, hooks: true })
  // What was mended is not mended again by the next --fix.
  await rm(diagnosisFile(place.stateDir, config.name), { force: true })
  const commit = await place.git.text(['rev-parse', 'HEAD'])
  const facts = { code: diagnosis.code, does: fix.does, patch: fix.patch, file: path, commit }
  context.stdout.write(
    json
      ? `${JSON.stringify(facts)}\n`
      : `${diagnosis.code} ${diagnosis.title}: ${fix.does} (${Object.entries(fix.patch)
          .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
          .join(', ')})\ncommitted ${path} as ${commit.slice(0, 12)}\nnext: valuetrain train ${source}\n`,
  )
  return 0
}

/**
 * Returns the best fix that was tried least often: what did not help once comes last the next time. The history of the
 * file says which were tried.
 */
async function nextFix(diagnosis: Diagnosis, file: string | undefined, { git, root }: TrainingPlace): Promise<Fix | undefined> {
  const fixes = diagnosis.fixes.filter(({ patch }) => Object.keys(patch).length > 0)
  if (file === undefined || fixes.length < 2) return fixes[0]
  const path = relative(root, file).replaceAll('\\', '/')
  const { stdout } = await git.run(['log', '--max-count=100', '--format=%s', '--', `:(top,literal)${path}`], { okExit: [0, 128] })
  const tried = stdout.split('\n')
  const times = (fix: Fix) => tried.filter((subject) => subject === subjectOf(diagnosis, fix)).length
  return fixes.reduce((best, fix) => (times(fix) < times(best) ? fix : best))
}

function subjectOf({ code, title }: Diagnosis, { does }: Fix): string {
  return `Fix ${code} ${title}: ${does}`
}
