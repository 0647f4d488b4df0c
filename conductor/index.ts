export {
  type CheckedCommit,
  type CheckedGate,
  type CheckReport,
  type CheckRequest,
  checkRange,
  type EvidenceStanding,
  type ShownWaiver,
} from './check/index.ts'
export { committedConfig, type Definitions, loadDefinitions, phaseGates, pipelineNamed } from './definitions.ts'
export { renderDiagram } from './diagram.ts'
export { isIssueDone } from './done.ts'
export { type Drive, type DriveOptions, drive, readyIssues } from './drive.ts'
export { type Control, type Due, MACHINE_VERSION, type TicketSnapshot, ticketMachine } from './machine.ts'
export { type Act, type Operation, operate } from './operate.ts'
export { planDrive, planRun, type RunPlan } from './plan.ts'
export type { BriefFacts, Ports } from './ports.ts'
export { type FlowReport, flowReport, type Spread } from './report.ts'
export { type RunOptions, type RunOutcome, runIssue } from './run.ts'
export { type FoundTicket, findTicket, findTickets } from './sources.ts'
export { foldTicket, itemProgress, type Ledger, stateAt, stepTicket, type TicketState } from './state.ts'
export { surveyTickets } from './survey.ts'
export { type TicketView, viewTicket } from './view.ts'
