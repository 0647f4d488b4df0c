import { readFile } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { readConfig } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { fileError, isInside } from '../core/files.ts'
import type { Git } from '../core/git.ts'
import { readerAt, readerOf, type TreeReader } from '../core/reader.ts'
import { openRepository, type Repository } from '../core/repository.ts'
import { resolveCommit } from '../core/tree.ts'
import { type AnyTrainConfig, parseAnyTrainConfig } from '../training/router/train/config.ts'
import {
  acceleratorFolder,
  type Provenance,
  type RunSource,
  readRecipe,
  recipeNames,
  runsAt,
  runsIn,
  type Surroundings,
  unknownConfig,
} from '../training/run/index.ts'
import type { Context } from './context.ts'

/** A working tree to train in. */
export interface TrainingPlace extends Surroundings {
  repository: Repository
  git: Git
  stateDir: string
  /** Where tfjs is looked for. */
  places: string[]
  /** Name of the default branch. */
  branch: string
  /** Runs of the working tree. */
  runs: RunSource
  /** Promotions and runs as the default branch has them; of the working tree while there is no such branch. */
  shared: { reader: TreeReader; runs: RunSource }
}

/** Opens the working tree a command was called in, a linked one included. @throws VT_NO_REPOSITORY, VT_BARE */
export async function openTraining(context: Pick<Context, 'cwd' | 'env'>): Promise<TrainingPlace> {
  const repository = await openRepository(context.cwd, context.env)
  if (repository.bare) {
    throw new ValuetrainError('VT_BARE', `${repository.commonDir} is bare, it has no working tree to write in`, {
      kind: 'environment',
      hint: 'run this in a clone',
    })
  }
  const root = await repository.git.at(context.cwd).text(['rev-parse', '--path-format=absolute', '--show-toplevel'])
  const git = repository.git.at(root)
  const { config } = await readConfig(readerOf(root))
  const base = await resolveCommit(git, `refs/heads/${config.branch}`)
  return {
    repository,
    git,
    root,
    stateDir: repository.stateDir,
    env: childEnvironment(context.env, config.workspace.env),
    places: [root, acceleratorFolder(repository.stateDir)],
    branch: config.branch,
    runs: runsIn(root, git),
    shared:
      base === undefined
        ? { reader: readerOf(root), runs: runsIn(root, git) }
        : { reader: readerAt(git, base), runs: runsAt(git, base) },
  }
}

/** A configuration with where it came from, and the file that `--fix` may change. */
export interface NamedConfig<C extends AnyTrainConfig = AnyTrainConfig> {
  config: C
  /** Repository path, or the recipe's name. */
  source: string
  /** Absolute; undefined for a recipe. */
  file: string | undefined
}

/** Returns the configuration a word names: a file, else a recipe. @throws VT_TRAIN_UNKNOWN, VT_YAML, VT_CONFIG */
export async function configNamed(word: string, { cwd }: Pick<Context, 'cwd'>, root: string): Promise<NamedConfig> {
  const file = resolve(cwd, word)
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR' || cause.code === 'EISDIR') return undefined
    throw fileError(cause, 'read', file)
  })
  if (text !== undefined) {
    const source = isInside(root, file) ? relative(root, file).replaceAll('\\', '/') : word
    return { config: await parseAnyTrainConfig(text, source), source, file }
  }
  const known = await recipeNames()
  if (!known.includes(word) || isAbsolute(word)) throw unknownConfig(word, known)
  return { config: await parseAnyTrainConfig(await readRecipe(word), `recipe ${word}`), source: word, file: undefined }
}

/** Returns where a run starts from. Our own records are no dirt: they are not what is trained on. */
export async function provenanceOf(git: Git, source: string): Promise<Provenance> {
  const changed = await git.fields(['status', '--porcelain=v1', '-z', '--', ':(top)', ':(top,exclude).valuetrain'])
  return { commit: (await resolveCommit(git, 'HEAD')) ?? null, dirty: changed.length > 0, source }
}

/** Returns an absolute path for an output a person named. */
export function outputPath(context: Pick<Context, 'cwd'>, path: string): string {
  return isAbsolute(path) ? path : join(context.cwd, path)
}

/** What a program that brings an environment may see. */
export function childEnvironment(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  const known = ['PATH', 'HOME', 'LANG', 'TMPDIR', ...names]
  return Object.fromEntries(known.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
