/** An exported policy read back: the same files, in a folder that left the repository and may come back as anything. */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { fileError } from '../../core/files.ts'
import { MODEL_FILE, WEIGHTS_FILE } from '../policy/model-file.ts'
import type { StoredRun } from '../run/folder.ts'

/** What `export --format safetensors` has written, as it lies there now. */
export interface ExportedPolicy {
  /** For messages. */
  folder: string
  model: Buffer
  /** Absent where the router is no network. */
  weights: Buffer | undefined
  /** SHA-256 of `model.json`, the version that its run and its promotions name. */
  version: string
}

/** Returns the files of an export, not checked yet. @throws VT_EXPORT_DAMAGED when there is no `model.json` */
export async function readExport(folder: string): Promise<ExportedPolicy> {
  const [model, weights] = await Promise.all([fileOf(folder, MODEL_FILE), fileOf(folder, WEIGHTS_FILE)])
  if (model === undefined) throw damaged(`${folder} holds no ${MODEL_FILE}`)
  return { folder, model, weights, version: sha256(model) }
}

/**
 * Returns a run whose policy is read from an export instead of its folder; everything else is the run's own.
 *
 * @param run checked by `readRun`; its manifest names the digests of both files
 * @throws VT_EXPORT_FOREIGN when `model.json` is not the run's, VT_EXPORT_DAMAGED when the weights are not
 */
export function runFromExport(run: StoredRun, { folder, model, weights, version }: ExportedPolicy): StoredRun {
  if (version !== run.manifest.version) {
    throw new ValuetrainError(
      'VT_EXPORT_FOREIGN',
      `${join(folder, MODEL_FILE)} is version ${version.slice(0, 12)}, and run ${run.id} wrote ${run.manifest.version.slice(0, 12)}`,
      {
        hint: `it is of another run or was edited; \`valuetrain export ${run.id} --format safetensors --out DIR\` writes it again`,
      },
    )
  }
  const wanted = run.manifest.files[WEIGHTS_FILE]
  if (wanted !== undefined && (weights === undefined || sha256(weights) !== wanted.sha256)) {
    const now =
      weights === undefined ? 'is missing' : `has ${weights.length} bytes that are not the ${wanted.bytes} of run ${run.id}`
    throw damaged(`${join(folder, WEIGHTS_FILE)} ${now}`)
  }
  const files = new Map<string, Buffer | undefined>([
    [`${run.folder}/${MODEL_FILE}`, model],
    [`${run.folder}/${WEIGHTS_FILE}`, weights],
  ])
  const { source } = run
  const read = async (path: string) => (files.has(path) ? files.get(path) : source.read(path))
  return {
    ...run,
    source: {
      ...(source.store === undefined ? {} : { store: source.store }),
      source: folder,
      read,
      folders: (path) => source.folders(path),
      list: (path) => source.list(path),
    },
  }
}

/** Returns the one of these runs that an export is of. @throws VT_EXPORT_FOREIGN when none wrote it */
export function runOfExport(runs: readonly StoredRun[], { folder, version }: ExportedPolicy): StoredRun {
  const found = runs.find(({ manifest }) => manifest.version === version)
  if (found !== undefined) return found
  throw new ValuetrainError(
    'VT_EXPORT_FOREIGN',
    `no run here wrote ${join(folder, MODEL_FILE)} (version ${version.slice(0, 12)})`,
    {
      hint: 'it is of another repository, in another format, or was edited; `valuetrain export RUN --format safetensors --out DIR` writes one that can be read back',
    },
  )
}

async function fileOf(folder: string, name: string): Promise<Buffer | undefined> {
  const path = join(folder, name)
  try {
    // Reading a pipe that somebody put there would wait for ever.
    if (!(await stat(path)).isFile()) throw damaged(`${path} is no file`)
    return await readFile(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw fileError(cause, 'read', path)
  }
}

function damaged(what: string): ValuetrainError {
  return new ValuetrainError('VT_EXPORT_DAMAGED', what, {
    hint: 'write it again with `valuetrain export RUN --format safetensors --out DIR`; other formats are for other programs and are not read back',
  })
}
