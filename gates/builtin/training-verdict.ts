import { GateSpec } from '../../core/contracts/gate.ts'

/**
 * The verdict of a training run or of its evaluation, as the phase's runtime left it in the artifacts: the statistics
 * stand in the same file. Asked where a phase lists it and the configuration names what is trained.
 */
export const trainingVerdict: GateSpec = GateSpec.parse({
  id: 'training-verdict',
  title: 'The trained policy passed its statistical rules',
  why: 'a score without its spread is luck; what did not pass is kept as evidence and promotes nothing',
  modes: ['build', 'evaluate'],
  kind: { type: 'metric', file: '{artifacts}/verdict.json', path: 'passed', rule: { op: '>=', value: 1 } },
  subject: 'ticket',
})
