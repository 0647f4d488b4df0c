import { ValuetrainError } from '../../core/errors.ts'
import { wasDirty } from '../run/events.ts'
import { type StoredRun, TRAINING_FOLDER } from '../run/folder.ts'

/** Returns why a run may not be promoted, by what it recorded itself; undefined where it may. */
export function refusalOf(stored: Pick<StoredRun, 'id' | 'verdict' | 'events' | 'isSealed'>): ValuetrainError | undefined {
  const { id, verdict, isSealed } = stored
  if (verdict.verdict !== 'pass') {
    return new ValuetrainError('VT_PROMOTION_REFUSED', `run ${id} was judged "${verdict.verdict}", so it promotes nothing`, {
      kind: 'gate',
      hint: verdict.reasons[0] ?? 'train it again',
    })
  }
  const dirty = wasDirty(stored)
  if (isSealed && dirty === false) return undefined
  const why = !isSealed
    ? 'has no seal over what it recorded, as runs of earlier versions'
    : dirty === undefined
      ? 'does not say from which tree it was trained'
      : 'was trained from a tree with changes that were not committed'
  return new ValuetrainError('VT_PROMOTION_DIRTY', `run ${id} ${why}`, {
    kind: 'gate',
    hint: isSealed
      ? 'commit the changes and train the same again: the numbers have to come out the same, and the run is then one of a clean tree'
      : `move ${TRAINING_FOLDER}/${id} away and train the same again from a clean tree`,
  })
}
