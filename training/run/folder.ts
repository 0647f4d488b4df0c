/** The committed folder of a run: `.valuetrain/training/<first 12 digits of its hash>/`. */
import { lstat, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as YAML from 'yaml'
import * as z from 'zod'
import { digestOf, sha256 } from '../../core/canonical.ts'
import { checkShape } from '../../core/config.ts'
import { Digest } from '../../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import { fileError, resolveInside, writeAtomically } from '../../core/files.ts'
import { parseMapping } from '../../core/frontmatter.ts'
import type { Git } from '../../core/git.ts'
import { readerAt, readerOf } from '../../core/reader.ts'
import { MODEL_FILE, parsePolicy, WEIGHTS_FILE } from '../policy/model-file.ts'
import type { PolicyModel } from '../types.ts'
import { type ArtifactStore, artifactStore, pointedAt, routed } from './artifact.ts'
import { EVENTS_FILE, parseEvents, type RecordedEvent, renderEvents, wasDirty } from './events.ts'
import { RUN_DIGITS, runHash } from './identity.ts'
import type { MetricRow } from './journal.ts'
import type { RunVerdict } from './verdict.ts'

export const TRAINING_FOLDER = '.valuetrain/training'
export const MANIFEST_FILE = 'run.yaml'

/** `run.yaml`: what the run was made from, and the digest of everything it made. */
const Manifest = z.strictObject({
  /** Runs of schema 1 have no seal. */
  schema: z.literal([1, 2]),
  run: z.string(),
  hash: Digest,
  policy: z.string(),
  /** SHA-256 of `model.json`, by which promotions name the policy. */
  version: Digest,
  policySeed: z.int(),
  inputs: z.record(z.string(), z.json()),
  metrics: z.strictObject({ measured: z.int(), kept: z.int() }),
  files: z.record(z.string(), z.strictObject({ sha256: Digest, bytes: z.int() })),
  /** Digest over the digests of the files: equal runs share it. */
  result: Digest,
})
export type Manifest = z.infer<typeof Manifest>

/** A folder of runs to read: the working tree, or a commit. */
export interface RunSource {
  /** For messages. */
  readonly source: string
  read(path: string): Promise<Buffer | undefined>
  folders(folder: string): Promise<string[]>
  list(folder: string): Promise<string[]>
  /** Where the bytes behind pointers are; absent where there is no repository. */
  readonly store?: ArtifactStore
}

/** A run as it lies in the repository, checked. */
export interface StoredRun {
  id: string
  /** Repository path of its folder. */
  folder: string
  manifest: Manifest
  verdict: RunVerdict
  events: RecordedEvent[]
  /** False for a run of before there were seals: nobody notices when its events or its manifest were edited. */
  isSealed: boolean
  source: RunSource
}

/** Returns the runs of a working tree. @param git of its repository, for files that are too large for the tree */
export function runsIn(root: string, git?: Git): RunSource {
  const reader = readerOf(root)
  return {
    ...(git === undefined ? {} : { store: artifactStore(git, root) }),
    source: 'the working tree',
    async read(path) {
      return readFile(await resolveInside(root, path)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return undefined
        throw fileError(cause, 'read', path)
      })
    },
    folders: (folder) => reader.folders(folder),
    list: (folder) => reader.list(folder),
  }
}

/** Returns the runs of a commit. */
export function runsAt(git: Git, commit: string): RunSource {
  const reader = readerAt(git, commit)
  return {
    store: artifactStore(git, '.'),
    source: commit,
    async read(path) {
      const found = await git.run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}:${path}`], {
        okExit: [0, 1, 128],
      })
      return found.code === 0 ? git.bytes(['cat-file', 'blob', found.stdout.trim()]) : undefined
    },
    folders: (folder) => reader.folders(folder),
    list: (folder) => reader.list(folder),
  }
}

/** Returns the ids of all runs of a source, sorted. */
export async function listRuns(source: RunSource): Promise<string[]> {
  return (await source.folders(TRAINING_FOLDER)).filter((name) => new RegExp(`^[0-9a-f]{${RUN_DIGITS}}$`).test(name))
}

/** Returns the one run whose id begins with the given digits. @throws VT_RUN_UNKNOWN with the nearest */
export async function findRun(source: RunSource, word: string): Promise<string> {
  const known = await listRuns(source)
  const matches = /^[0-9a-f]{3,64}$/.test(word) ? known.filter((id) => id.startsWith(word.slice(0, RUN_DIGITS))) : []
  const [only, ...more] = matches
  if (only !== undefined && more.length === 0) return only
  if (more.length > 0) {
    throw new ValuetrainError('VT_RUN_AMBIGUOUS', `${matches.length} runs begin with "${word}": ${matches.join(', ')}`, {
      hint: 'give more digits',
    })
  }
  throw new ValuetrainError(
    'VT_RUN_UNKNOWN',
    `there is no run "${word.slice(0, 80)}"${didYouMean(word, known)} in ${source.source}`,
    {
      hint: known.length === 0 ? 'train one with `valuetrain train cart-pole-fast`' : '`valuetrain runs list` lists them',
    },
  )
}

/**
 * Reads a run and checks that its files are the ones it wrote.
 *
 * @throws VT_RUN_UNKNOWN; VT_RUN_ALTERED naming the files that were changed, are missing or are too many
 */
export async function readRun(source: RunSource, id: string): Promise<StoredRun> {
  const folder = `${TRAINING_FOLDER}/${id}`
  const text = (await source.read(`${folder}/${MANIFEST_FILE}`))?.toString('utf8')
  if (text === undefined) {
    if ((await source.list(folder)).length === 0) await findRun(source, id)
    throw altered(id, [`${MANIFEST_FILE} is missing`])
  }
  const manifest = manifestOf(text, id)
  const problems: string[] = []
  if (runHash(manifest.inputs as never) !== manifest.hash || !manifest.hash.startsWith(id) || manifest.run !== id) {
    problems.push(`${MANIFEST_FILE} does not have the hash of its inputs`)
  }
  if (resultOf(manifest.files) !== manifest.result) problems.push(`${MANIFEST_FILE} does not have the digest of its files`)
  const contents = new Map<string, Buffer>()
  for (const [name, { sha256: digest }] of Object.entries(manifest.files)) {
    const content = name.includes('/') || name.startsWith('.') ? undefined : await source.read(`${folder}/${name}`)
    if (content === undefined) problems.push(`${name} is missing`)
    else if ((pointedAt(content) ?? sha256(content)) !== digest) problems.push(`${name} was changed`)
    else contents.set(name, content)
  }
  const known = new Set([...Object.keys(manifest.files), MANIFEST_FILE, EVENTS_FILE])
  for (const name of await source.list(folder)) if (!known.has(name)) problems.push(`${name} does not belong to it`)
  const told = (await source.read(`${folder}/${EVENTS_FILE}`))?.toString('utf8') ?? ''
  const isSealed = manifest.schema !== 1
  const { events, problems: broken } = parseEvents(told, isSealed ? text : undefined)
  problems.push(...broken)
  if (problems.length > 0) throw altered(id, problems)
  const verdict = JSON.parse(contents.get('verdict.json')?.toString('utf8') ?? 'null') as RunVerdict
  return { id, folder, manifest, verdict, events, isSealed, source }
}

/** Returns the runs that are as they were written, in the order of their ids, and why others are not. */
export async function readRuns(
  source: RunSource,
): Promise<{ runs: StoredRun[]; altered: { run: string; error: ValuetrainError }[] }> {
  const runs: StoredRun[] = []
  const damaged: { run: string; error: ValuetrainError }[] = []
  for (const run of await listRuns(source)) {
    try {
      runs.push(await readRun(source, run))
    } catch (error) {
      if (!(error instanceof ValuetrainError) || error.code !== 'VT_RUN_ALTERED') throw error
      damaged.push({ run, error })
    }
  }
  return { runs, altered: damaged }
}

function manifestOf(text: string, id: string): Manifest {
  const file = `${TRAINING_FOLDER}/${id}/${MANIFEST_FILE}`
  try {
    return checkShape(Manifest, parseMapping(text, file), file)
  } catch (cause) {
    // Nobody writes a manifest by hand: whatever is wrong with it, it is not what the run wrote.
    throw altered(id, [(cause as Error).message])
  }
}

/**
 * Returns a file of a run, from the store where a pointer stands for it.
 *
 * @throws VT_ARTIFACT_ABSENT when neither this clone nor Git LFS has its bytes
 */
export async function contentOf({ source, folder, id }: StoredRun, name: string): Promise<Buffer | undefined> {
  const content = await source.read(`${folder}/${name}`)
  const digest = content === undefined ? undefined : pointedAt(content)
  if (digest === undefined) return content
  const found = await source.store?.get(digest)
  if (found !== undefined) return found
  throw new ValuetrainError(
    'VT_ARTIFACT_ABSENT',
    `${name} of run ${id} is not in this clone, only its pointer (sha256 ${digest.slice(0, 12)})`,
    {
      kind: 'environment',
      hint: 'fetch it with `git lfs pull`, copy it from the clone that trained, or train the run again; it gives the same bytes',
      details: { sha256: digest },
    },
  )
}

/** Returns the policy of a run. @throws VT_ARTIFACT_ABSENT when its weights are elsewhere */
export async function policyOfRun(stored: StoredRun): Promise<PolicyModel> {
  const { id } = stored
  const [weights, model] = await Promise.all([contentOf(stored, WEIGHTS_FILE), contentOf(stored, MODEL_FILE)])
  return parsePolicy({ weights: weights ?? new Uint8Array(), model: model?.toString('utf8') ?? '' }, `run ${id}`)
}

/** Returns what a run measured while it trained. */
export async function metricsOfRun(stored: StoredRun): Promise<MetricRow[]> {
  return parseLines((await contentOf(stored, 'metrics.jsonl'))?.toString('utf8') ?? '') as unknown as MetricRow[]
}

/**
 * Writes a run's folder as one step: it is there whole or not at all. Where it is there already with the same result, only
 * its events are written anew, and only when it was trained from a dirty tree and has been had again from a clean one.
 *
 * @param files by name; `run.yaml` is made from them
 * @param events what happened, which no hash covers
 * @param store for files that are too large for the tree; without one they are written as they are
 * @throws VT_RUN_NOT_REPRODUCED when the folder is there with another result (T701)
 */
export async function writeRunFolder(
  root: string,
  manifest: Omit<Manifest, 'files' | 'result' | 'schema'>,
  files: ReadonlyMap<string, string | Uint8Array>,
  events: readonly object[],
  store?: ArtifactStore,
): Promise<{ folder: string; manifest: Manifest; written: boolean }> {
  const listed = Object.fromEntries(
    [...files]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, content]) => {
        return [name, { sha256: sha256(content), bytes: Buffer.byteLength(content) }]
      }),
  )
  const whole: Manifest = { schema: 2, ...manifest, files: listed, result: resultOf(listed) }
  const folder = `${TRAINING_FOLDER}/${manifest.run}`
  const target = await resolveInside(root, folder)
  const source = runsIn(root)
  if (
    await lstat(target).then(
      () => true,
      () => false,
    )
  ) {
    const there = await readRun(source, manifest.run)
    if (there.manifest.result === whole.result) {
      // A clone that has only pointers has the bytes behind them now.
      for (const [name, content] of files) await routed(`${folder}/${name}`, content, store)
      const isCleaner = wasDirty(there) === true && wasDirty({ events }) === false
      if (isCleaner) {
        const manifestText = await readFile(join(target, MANIFEST_FILE), 'utf8')
        await writeAtomically(join(target, EVENTS_FILE), renderEvents(events, manifestText))
      }
      return { folder, manifest: there.manifest, written: isCleaner }
    }
    const differing = Object.keys(listed).filter((name) => there.manifest.files[name]?.sha256 !== listed[name]?.sha256)
    throw new ValuetrainError(
      'VT_RUN_NOT_REPRODUCED',
      `run ${manifest.run} came out differently: ${differing.join(', ')} ${differing.length === 1 ? 'is' : 'are'} not what its folder holds`,
      {
        kind: 'environment',
        hint: 'something outside the run moves its numbers: another program, a data file that is not named under `data`, a broken machine',
        details: { files: differing },
      },
    )
  }
  const draft = join(dirname(target), `.draft-${manifest.run}`)
  try {
    await rm(draft, { recursive: true, force: true })
    await mkdir(draft, { recursive: true })
    for (const [name, content] of files) {
      await writeFile(join(draft, name), await routed(`${folder}/${name}`, content, store))
    }
    const text = YAML.stringify(whole, { lineWidth: 0 })
    await writeFile(join(draft, MANIFEST_FILE), text)
    await writeFile(join(draft, EVENTS_FILE), renderEvents(events, text))
    await rename(draft, target)
  } catch (cause) {
    await rm(draft, { recursive: true, force: true }).catch(() => {})
    throw fileError(cause, 'written', target)
  }
  return { folder, manifest: whole, written: true }
}

function resultOf(files: Manifest['files']): string {
  return digestOf(Object.fromEntries(Object.entries(files).map(([name, { sha256: digest }]) => [name, digest])))
}

function altered(id: string, problems: readonly string[]): ValuetrainError {
  return new ValuetrainError('VT_RUN_ALTERED', `run ${id} is not as it was written: ${problems.join('; ')}`, {
    kind: 'environment',
    hint: `restore it with \`git restore ${TRAINING_FOLDER}/${id}\` (with --source=COMMIT when the change is committed), or move that folder away and train it again; the same run gives the same bytes`,
    details: { problems },
  })
}

function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
