export { CATALOGUE, type CatalogueEntry, entryOf, type Fix } from './catalogue.ts'
export { type Diagnosis, diagnose } from './diagnose.ts'
export { type Anomaly, openWatch } from './watch.ts'
