export { goesOn, type HalvingOptions, rungsOf } from './asha.ts'
export { Dimension, type DimensionInput, gridOf, type Parameters, parseSearchSpace, SearchSpace, type Value } from './space.ts'
export { Sweep, SweepConfig, type SweepConfigInput, type Trial, type TrialResult } from './sweep.ts'
export { type Scored, suggestTpe } from './tpe.ts'
