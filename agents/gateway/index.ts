export {
  type Held,
  LEVELS,
  type Ledger,
  type Level,
  type Limits,
  openLedger,
  type Payer,
  type Reservation,
  type Spent,
} from './budget.ts'
export { DIALECTS, type Dialect, PROVIDERS, type Provider, readRequest, routeOf } from './dialects.ts'
export { type Splitter, splitterFor } from './messages.ts'
export {
  costOf,
  loadPriceBook,
  type ModelPrice,
  PRICES_FILE,
  type PriceBook,
  parsePrices,
  priceBook,
  priceOf,
  worstCostOf,
} from './prices.ts'
export { readTrouble, type Trouble } from './refusals.ts'
export { type GatewayOptions, openGateway } from './server.ts'
export { ownTill, sharedTill, type Till } from './till.ts'
export type { Upstream } from './upstream.ts'
export { type Meter, openMeter, type Reading } from './usage.ts'
