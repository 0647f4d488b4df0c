import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defaultConfig, readConfig } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { openGit } from '../core/git.ts'
import { readerOf } from '../core/reader.ts'
import { detect, initPlan } from '../templates/index.ts'

/** The throw-away repository of the first journey. */
export interface JourneyPlace {
  dir: string
  /** Environment in which its build and tests find the TypeScript compiler. */
  env: NodeJS.ProcessEnv
  /** Files that setting Value Train up wrote. */
  written: string[]
}

/**
 * Makes the repository of the first journey: the example's files in one commit, Value Train's own in a second.
 *
 * @param into a folder that is new or empty; one in the temporary folder unless told
 * @throws VT_FOLDER_IN_THE_WAY; VT_NO_COMPILER where the package was installed without its development tools
 */
export async function makeJourney(env: NodeJS.ProcessEnv, into: string | undefined): Promise<JourneyPlace> {
  const tools = compilerFolder()
  const home = into ?? (await mkdtemp(join(env.TMPDIR ?? tmpdir(), 'valuetrain-journey-')))
  await mkdir(home, { recursive: true })
  if ((await readdir(home)).length > 0) {
    throw new ValuetrainError('VT_FOLDER_IN_THE_WAY', `the folder ${home} is not empty`, {
      hint: 'name a new folder with --keep; nothing is written over',
    })
  }
  const dir = join(home, 'tariff')
  await cp(fileURLToPath(new URL('../examples/first-journey', import.meta.url)), dir, { recursive: true })
  // A real .gitignore in the package would keep files of the example out of it.
  await rename(join(dir, 'gitignore'), join(dir, '.gitignore'))
  const git = openGit(dir, env)
  await git.run(['init', '--quiet', '--initial-branch=main'])
  for (const [key, value] of SETTINGS) await git.run(['config', key, value])
  await git.run(['add', '--all'])
  await git.run(['commit', '--quiet', '--message', 'Begin with the parcel rates as they are'])
  const written = await initialise(dir)
  await git.run(['add', '--all'])
  await git.run(['commit', '--quiet', '--message', 'Set up Value Train'])
  return { dir, env: { ...env, PATH: `${tools}${delimiter}${env.PATH ?? ''}` }, written }
}

/** Of this repository alone: a machine without an identity, or one that signs commits, can take the journey, too. */
const SETTINGS = [
  ['user.name', 'First Journey'],
  ['user.email', 'journey@example.invalid'],
  ['commit.gpgsign', 'false'],
] as const

async function initialise(dir: string): Promise<string[]> {
  const reader = readerOf(dir)
  const { config } = await readConfig(reader)
  const { forge, branch, remote } = { ...defaultConfig(), ...config }
  const plan = await initPlan(await detect(reader), { forge, branch, remote }, reader)
  const files = plan.files.filter(({ action }) => action !== 'keep')
  for (const { path, content = '' } of files) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), content)
  }
  return files.map(({ path }) => path)
}

/** The example is TypeScript, and its build calls `tsc`: ours, so that nothing is downloaded. */
function compilerFolder(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const folder = join(at, 'node_modules', '.bin')
    if (existsSync(join(folder, 'tsc'))) return folder
    if (at === dirname(at)) break
  }
  throw new ValuetrainError(
    'VT_NO_COMPILER',
    'the journey builds a TypeScript library, and no TypeScript compiler is installed beside valuetrain',
    {
      kind: 'environment',
      hint: 'install it beside valuetrain (`npm install typescript`), or take the journey from a clone (`npm ci && npm start`)',
    },
  )
}
