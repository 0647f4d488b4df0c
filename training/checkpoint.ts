/**
 * Checkpoints: a learner's whole state as one safetensors file, so that other tools can look into it. A run that is
 * killed and resumed from one ends with the same bytes as one that was never stopped.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { canonicalJson, type Json } from '../core/canonical.ts'
import { ValuetrainError } from '../core/errors.ts'
import { writeAtomically } from '../core/files.ts'
import { readSafetensors, writeSafetensors } from './safetensors.ts'
import type { TrainingState } from './types.ts'

const FORMAT = 'valuetrain-checkpoint-1'

/** Returns the bytes of a checkpoint; equal states give equal bytes. */
export function encodeCheckpoint(state: TrainingState): Uint8Array {
  const { algorithm, config, steps, tensors, json } = state
  const about = { format: FORMAT, algorithm, config, steps: String(steps), json: canonicalJson(json) }
  const digest = digestOf(writeSafetensors({ tensors, metadata: about }))
  return writeSafetensors({ tensors, metadata: { ...about, digest } })
}

/**
 * Returns the state in a checkpoint's bytes.
 *
 * @param from named in messages
 * @throws VT_SAFETENSORS when it is cut off; VT_CHECKPOINT_FOREIGN when it is something else; VT_CHECKPOINT_DAMAGED when
 *   its content is not what its digest says
 */
export function decodeCheckpoint(bytes: Uint8Array, from: string): TrainingState {
  const { tensors, metadata } = readSafetensors(bytes, from)
  const { format, digest, ...about } = metadata
  if (format !== FORMAT) {
    throw new ValuetrainError('VT_CHECKPOINT_FOREIGN', `${from} is no checkpoint of ours but "${format ?? 'nothing named'}"`, {
      hint: `Give a file that a training run wrote; this version reads ${FORMAT}.`,
    })
  }
  if (digestOf(writeSafetensors({ tensors, metadata: { format, ...about } })) !== digest) {
    throw new ValuetrainError('VT_CHECKPOINT_DAMAGED', `${from} was changed after it was written`, {
      hint: 'Resume from an earlier checkpoint.',
    })
  }
  const { algorithm = '', config = '', steps = '0', json = 'null' } = about
  return { version: 1, algorithm, config, steps: Number(steps), tensors, json: JSON.parse(json) as Json }
}

/** Returns the digest of a state, 64 hex digits: the hash that equal runs share. */
export function stateDigest(state: TrainingState): string {
  return digestOf(encodeCheckpoint(state))
}

/**
 * Writes a checkpoint in place of the one before; a kill at any moment leaves one of the two whole.
 *
 * @throws VT_CHECKPOINT_WRITE when the disk is full or the folder cannot be written; the earlier one stays
 */
export async function saveCheckpoint(file: string, state: TrainingState): Promise<void> {
  try {
    await writeAtomically(file, encodeCheckpoint(state))
  } catch (cause) {
    const why = reasonOf(cause) === 'VT_DISK_FULL' ? 'the disk is full' : (cause as Error).message
    throw new ValuetrainError('VT_CHECKPOINT_WRITE', `the checkpoint at ${state.steps} steps could not be written: ${why}`, {
      kind: 'environment',
      hint: 'Make room and run the same command again; the checkpoint before it is whole, and nothing committed is touched.',
      details: { steps: state.steps, reason: reasonOf(cause) },
      cause,
    })
  }
}

/** Reads a checkpoint. @throws VT_CHECKPOINT_MISSING and as `decodeCheckpoint` */
export async function loadCheckpoint(file: string): Promise<TrainingState> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause
    throw new ValuetrainError('VT_CHECKPOINT_MISSING', `there is no checkpoint at ${file}`, {
      hint: 'Start the run anew; a run without a checkpoint has lost nothing that is committed.',
      cause,
    })
  })
  return decodeCheckpoint(bytes, file)
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function reasonOf(cause: unknown): string {
  return cause instanceof ValuetrainError ? cause.code : ((cause as NodeJS.ErrnoException).code ?? 'unknown')
}
