export { Cascade, type CascadeArm, type CascadeChoice, type CascadeEpisode, type CascadeOptions } from './cascade.ts'
export { ChoiceRouter, type ChoiceRouterOptions } from './choice.ts'
export {
  type ChoiceFacts,
  type Contest,
  chooseArm,
  contestants,
  nameOf,
  PERSON_ARM,
  type RouterInUse,
} from './deciding.ts'
export {
  CONFIGURATION,
  explainDecision,
  foldDecisions,
  type LateOutcome,
  OUTCOMES,
  type OutcomeKind,
  type RoutingDecision,
} from './decisions.ts'
export { RouterEnv, type RouterEnvOptions } from './env.ts'
export { contextOf, type FeatureFacts, type Features, featuresOf, groupsOf, namesOf, vectorOf } from './features.ts'
export { type GateRates, gateSays, type MeasuredGate, measureGate, PERFECT_GATE } from './gate.ts'
export { isRouterRun, routerInUse, routerOfRun, routersInUse } from './in-use.ts'
export {
  armsOf,
  canaryReport,
  casesOf,
  chancesFor,
  type LoggedCase,
  type LoggedStep,
  rowsOf,
  type TicketLog,
} from './log.ts'
export { isRouterModel, parseRouter, ROUTER_FORMAT, type RouterFiles, type RouterModel, renderRouter } from './model-file.ts'
export {
  HAND_OVER,
  observationOf,
  openRouter,
  ROUTER_KINDS,
  ROUTER_SETTINGS,
  type RoutedStep,
  type RouterKind,
  type RouterPolicy,
  type RouterSpec,
  type RoutingCase,
  rewardOfSteps,
} from './policy.ts'
export {
  bestByGroup,
  bestFixed,
  expectOrders,
  type ReplayResult,
  replayCascade,
  replayChoice,
  replayFixed,
  replayOrder,
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
