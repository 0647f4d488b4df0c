export { ownStand } from './own-stand.ts'
export { openStand, PEOPLE, type Stand } from './stand.ts'
export type { CheckRun, Fault, Holder, Journaled, Protection, StandApp, StandOptions, StandRepository } from './types.ts'
