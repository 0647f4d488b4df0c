export { policyInUse } from './champion.ts'
export { MODEL_FILE, type PolicyFiles, parsePolicy, renderPolicy, WEIGHTS_FILE } from './model-file.ts'
export { refusalOf } from './promotable.ts'
export {
  ALIASES,
  Alias,
  type AliasState,
  currentRecords,
  foldAlias,
  POLICIES_FOLDER,
  type Promotion,
  parsePromotion,
  policyNames,
  promote,
  promotionFile,
  readPromotions,
  renderPromotion,
  rollback,
  STAGES,
  type Stage,
  type StagedRun,
  stagesOf,
  unknownPolicy,
  withdraw,
} from './promotions.ts'
