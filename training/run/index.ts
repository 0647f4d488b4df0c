export { MODEL_FILE } from '../policy/model-file.ts'
export { acceleratorFolder, BACKEND_WISHES, type Backends, type BackendWishName, chooseBackends } from './backends.ts'
export { type Comparison, compareRuns, evaluationOf, lineOf, matches, type RunLine } from './compare.ts'
export {
  attemptOf,
  checkTrainConfig,
  parseTrainConfig,
  type TrainConfig,
  TrainFile,
  unknownConfig,
  withSettings,
} from './config.ts'
export { linesOf, renderCurve } from './curve.ts'
export { wasDirty } from './events.ts'
export { diagnosisFile, executeRun, type RunOutcome } from './execute.ts'
export {
  contentOf,
  findRun,
  listRuns,
  type Manifest,
  metricsOfRun,
  policyOfRun,
  type RunSource,
  readRun,
  readRuns,
  runsAt,
  runsIn,
  type StoredRun,
  TRAINING_FOLDER,
} from './folder.ts'
export { type HtmlRun, renderHtml } from './html.ts'
export { ENGINE_VERSION, type RunInputs, runHash, runInputs, seedsOf } from './identity.ts'
export {
  type Checkpoint,
  type Journal,
  type Listener,
  type MetricRow,
  openJournal,
  type RunEvent,
  workFolder,
} from './journal.ts'
export { measurePolicy } from './measuring.ts'
export { type Champion, type PreparedRun, type Progress, type Provenance, prepareRun, type RunOrder } from './order.ts'
export { planRun, type RunPlan } from './plan.ts'
export { openProblem, type Problem, type Surroundings } from './problem.ts'

export { readRecipe, recipeNames } from './recipes.ts'
export { mayFollow, RUN_STATES, type RunState } from './state.ts'
export { parseSweepFile, runSweep, type Searched, type SweepFile, type SweepOrder, type SweepOutcome } from './sweeping.ts'
export { type TrialOrder, trialsOf } from './trials.ts'
export { judgeRun, type Measured, type RunVerdict, rulesOf } from './verdict.ts'
