export {
  ESTIMATORS,
  type Estimator,
  estimateOffPolicy,
  loggedValue,
  type OpeEstimate,
  type OpeOptions,
  type OpeReport,
} from './estimate.ts'
export { judgeOffPolicy, type OffPolicyJudgement } from './judge.ts'
export { type LoggedChoice, requireLogged } from './logged.ts'
export { crossFit, fitMeans, type RewardModel } from './model.ts'
