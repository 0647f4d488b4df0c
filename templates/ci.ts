import type { FileReader } from '../core/contracts/method.ts'
import { type PlannedFile, readAsset } from './plan.ts'

/** Continuous integration for which there is a template. */
export const CI_KINDS = ['github', 'gitlab'] as const
export type CiKind = (typeof CI_KINDS)[number]

/**
 * Returns the file that makes continuous integration run `valuetrain check`. One that is there is kept. Where GitLab has
 * a pipeline already, the job goes into a file of its own, which a line of that pipeline has to include.
 *
 * @param version of the package that the job installs
 */
export async function ciFile(kind: CiKind, version: string, reader: FileReader): Promise<PlannedFile> {
  const path = kind === 'github' ? '.github/workflows/valuetrain.yml' : await gitlabPath(reader)
  const text = await reader.read(path)
  if (text !== undefined) return { path, action: 'keep', why: 'is there' }
  const content = (await readAsset(`ci/${kind}.yml`)).replaceAll('{{version}}', version)
  const included = path === GITLAB_INCLUDED
  const why = included ? `runs the check; add \`include: ${path}\` to .gitlab-ci.yml` : 'runs the check on every change'
  return { path, action: 'create', content, why }
}

/**
 * Returns the workflow that lets GitHub Actions run Auto-Pilot on a schedule and when a label is set. One that is there is kept.
 *
 * @param version of the package that the job installs
 */
export async function autoPilotFile(version: string, reader: FileReader): Promise<PlannedFile> {
  const path = '.github/workflows/valuetrain-auto-pilot.yml'
  if ((await reader.read(path)) !== undefined) return { path, action: 'keep', why: 'is there' }
  const content = (await readAsset('ci/auto-pilot.yml')).replaceAll('{{version}}', version)
  return { path, action: 'create', content, why: 'works labelled issues on a schedule and when a label is set' }
}

const GITLAB_OWN = '.gitlab-ci.yml'
const GITLAB_INCLUDED = '.gitlab/valuetrain.yml'

async function gitlabPath(reader: FileReader): Promise<string> {
  const pipeline = await reader.read(GITLAB_OWN)
  // The pipeline may be the one we wrote; then there is nothing to include.
  return pipeline === undefined || /^valuetrain:/m.test(pipeline) ? GITLAB_OWN : GITLAB_INCLUDED
}
