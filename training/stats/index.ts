export { binomialUpperTail, normalCdf, normalQuantile, studentQuantile } from './distributions.ts'
export { type Adjusted, holm } from './family.ts'
export {
  type BootstrapOptions,
  bootstrapT,
  empiricalBernstein,
  type Interval,
  mean,
  quantileOf,
  studentInterval,
  variance,
  wilson,
} from './interval.ts'
export { caseMeans, type McNemar, mcnemar, mcnemarP, type Pair, pairCases, pairedDifference, pairedRatio } from './paired.ts'
export {
  casesNeeded,
  detectableDifference,
  detectableMeanDifference,
  differencePower,
  mcnemarPower,
  type PowerOptions,
  winsNeeded,
} from './power.ts'
export { type JudgeInput, type Judgement, judgeSuite, type MeasuredRow, Rule, type RuleFinding, type RuleInput } from './rules.ts'
export { interquartileMean, stratifiedInterquartileMean } from './seeds.ts'
export { ConfidenceSequence, type SequenceBounds } from './sequence.ts'
