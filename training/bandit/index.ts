export { type Bandit, type Choice, type Context, choose, mixIn, requirePropensities } from './bandit.ts'
export { chanceOfBest } from './best.ts'
export { type LinearOptions, LinThompson, LinUcb, LogisticThompson } from './linear.ts'
export { type Belief, HierarchicalThompson, type ThompsonOptions } from './thompson.ts'
