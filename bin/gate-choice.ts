import type { GateSpec } from '../core/contracts/gate.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'

/**
 * Returns the gates that a word names: all that are asked when there is none, else that one, asked here or not.
 *
 * @throws VT_GATE_UNKNOWN with the nearest name
 */
export function gateChoice(
  asked: readonly GateSpec[],
  word: string | undefined,
  all: ReadonlyMap<string, GateSpec>,
): readonly GateSpec[] {
  if (word === undefined) return asked
  const spec = all.get(word)
  if (spec) return [spec]
  throw new ValuetrainError('VT_GATE_UNKNOWN', `there is no gate "${word.slice(0, 80)}"${didYouMean(word, all.keys())}`, {
    hint: '`valuetrain gate list` lists them',
  })
}
