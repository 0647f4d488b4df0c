import { type ForgeLabel, isHosted } from '../core/contracts/forge.ts'
import { ValuetrainError } from '../core/errors.ts'
import type { Context } from './context.ts'
import { openIssues } from './wiring.ts'

/** What became of the labels that the configuration speaks of. */
export interface LabelsOutcome {
  /** Names that the forge had not got. */
  missing: string[]
  made: boolean
  /** Why they were not looked at or not made. */
  why?: string
}

/**
 * Makes the labels that the forge has not got, when the operator agrees.
 *
 * @param consent asks, or answers for the operator; is shown what is missing
 */
export async function offerLabels(
  context: Context,
  consent: (missing: readonly ForgeLabel[]) => Promise<boolean>,
): Promise<LabelsOutcome> {
  try {
    const { forge } = await openIssues(context, 'github')
    if (!isHosted(forge)) return { missing: [], made: false }
    const missing = await forge.missingLabels()
    const names = missing.map(({ name }) => name)
    if (missing.length === 0 || !(await consent(missing))) return { missing: names, made: false }
    await forge.makeLabels(missing)
    return { missing: names, made: true }
  } catch (error) {
    // Files are written by then, and a set-up without a token or a network is a good one, too.
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    return { missing: [], made: false, why: `${error.message}${error.hint ? ` (${error.hint})` : ''}` }
  }
}
