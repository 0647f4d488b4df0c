export { type LineLog, openLineLog } from './log.ts'
export { type Breach, type Meters, openMeters, type Thresholds } from './meters.ts'
export { type InUse, type PolicyServer, type ServeOptions, servePolicy } from './server.ts'
export { type Arm, armOf } from './split.ts'
