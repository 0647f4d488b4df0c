export { Cascade, type CascadeArm, type CascadeChoice, type CascadeEpisode, type CascadeOptions } from './cascade.ts'
export { ChoiceRouter, type ChoiceRouterOptions } from './choice.ts'
export {
  explainDecision,
  foldDecisions,
  type LateOutcome,
  OUTCOMES,
  type OutcomeKind,
  type RoutingDecision,
} from './decisions.ts'
export { RouterEnv, type RouterEnvOptions } from './env.ts'
export { type GateRates, gateSays, type MeasuredGate, measureGate, PERFECT_GATE } from './gate.ts'
export {
  bestFixed,
  type ReplayResult,
  replayCascade,
  replayChoice,
  replayFixed,
  replayOrder,
  replayOrders,
  replayRandom,
  replayThompson,
  rewardOfReplay,
} from './replay.ts'
export {
  Canary,
  type CanaryOptions,
  type CanaryReport,
  type Lane,
  laneOf,
  ROUTER_STAGES,
  type RouterStage,
  routeAt,
} from './rollout.ts'
export {
  type GeneratedArm,
  generateOutcomeTable,
  type Outcome,
  type OutcomeTable,
  type OutcomeTableRow,
  parseOutcomeTable,
  renderOutcomeTable,
  withArms,
} from './table.ts'
