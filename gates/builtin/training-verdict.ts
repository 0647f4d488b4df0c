import { type Config, wantsApproval } from '../../core/config.ts'
import { GateSpec } from '../../core/contracts/gate.ts'
import type { PhaseSpec } from '../../core/contracts/method.ts'

/**
 * The verdict of a training run or of its evaluation, as the phase's runtime left it in the artifacts: the statistics
 * stand in the same file. Asked where a phase lists it and the configuration names what is trained.
 */
export const trainingVerdict: GateSpec = GateSpec.parse({
  id: 'training-verdict',
  title: 'The trained policy passed its statistical rules',
  why: 'a score without its spread is luck; what did not pass is kept as evidence and promotes nothing',
  modes: ['build', 'evaluate'],
  kind: { type: 'metric', file: '{artifacts}/verdict.json', path: 'passed', rule: { op: '>=', value: 1 }, reasons: 'reasons' },
  subject: 'ticket',
})

/**
 * A person's word before a policy is promoted: the record of the promotion lies on the ticket's branch by then, and is in
 * use only once the ticket is merged, which cannot be without it.
 */
export const trainingApproval: GateSpec = GateSpec.parse({
  id: 'training-approval',
  title: 'A person lets the trained policy into use',
  why: 'statistics say that a policy is better at what was measured; whether that may be in use is for a person to say',
  modes: ['evaluate'],
  kind: {
    type: 'human',
    question: 'May this policy be promoted? Its numbers stand in validation-report.md and verdict.json',
  },
  subject: 'human',
})

/** Returns whether a phase asks for that word: the one that promotes, where the configuration trains and wants it. */
export function asksApproval({ training }: Config, { name, child }: Pick<PhaseSpec, 'name' | 'child'>): boolean {
  return training.config !== null && wantsApproval(training, 'promotion') && child === 'model-eval' && name === 'validation'
}
