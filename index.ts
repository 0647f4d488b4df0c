/**
 * Value Train as a library: what an extension implements and what a program reads a repository's tickets with.
 * Each public folder has more, e.g. `valuetrain/gates`.
 */
export { findTickets, flowReport, foldTicket, surveyTickets, type TicketState, type TicketView } from './conductor/index.ts'
export {
  Config,
  type Entry,
  type EventType,
  type FileReader,
  type Finding,
  type Forge,
  type GateResult,
  GateSpec,
  type GateSpecInput,
  type Issue,
  type Method,
  MODES,
  type ModeSpec,
  openGit,
  openRepository,
  type PipelineSpec,
  type PlacedEntry,
  parseConfig,
  type Repository,
  ROLES,
  type RoleSpec,
  type Runtime,
  type RuntimeEvent,
  readConfig,
  readerAt,
  readerOf,
  STATUSES,
  type Status,
  type TurnRequest,
  type TurnResult,
  ValuetrainError,
  type Verdict,
} from './core/index.ts'
export { decide } from './gates/index.ts'
export { loadMethod } from './modes/index.ts'
export {
  loadSession,
  parseSegment,
  renderSegment,
  type TicketSession,
  type Verification,
  verifySession,
} from './sessions/index.ts'
