import type { ModelCall } from '../core/contracts/model.ts'

/**
 * Columns of the FinOps Open Cost and Usage Specification that a call of a model can fill, in the order they are printed.
 *
 * @see https://focus.finops.org, FOCUS 1.2
 */
export const FOCUS_COLUMNS = [
  'BilledCost',
  'BillingAccountId',
  'BillingCurrency',
  'BillingPeriodEnd',
  'BillingPeriodStart',
  'ChargeCategory',
  'ChargeClass',
  'ChargeDescription',
  'ChargeFrequency',
  'ChargePeriodEnd',
  'ChargePeriodStart',
  'ConsumedQuantity',
  'ConsumedUnit',
  'ContractedCost',
  'EffectiveCost',
  'ListCost',
  'PricingCategory',
  'PricingQuantity',
  'PricingUnit',
  'ProviderName',
  'PublisherName',
  'ResourceId',
  'ServiceCategory',
  'ServiceName',
  'SkuId',
  'SkuPriceId',
  'Tags',
] as const
export type FocusRow = Record<(typeof FOCUS_COLUMNS)[number], string | number | null>

/**
 * Returns one row for each call that was billed. A call whose cost is not known has none: the specification wants a number
 * there, and none would be true.
 *
 * @param account who is billed, by a name of the repository's own
 */
export function focusRows(calls: readonly ModelCall[], account: string): FocusRow[] {
  return calls.flatMap((call) =>
    call.costUsd === null || call.outcome === 'refused' ? [] : [rowOf(call, call.costUsd, account)],
  )
}

/** Returns rows as CSV with a heading. */
export function focusCsv(rows: readonly FocusRow[]): string {
  const lines = rows.map((row) => FOCUS_COLUMNS.map((column) => cell(row[column])).join(','))
  return `${[FOCUS_COLUMNS.join(','), ...lines].join('\n')}\n`
}

function rowOf(call: ModelCall, cost: number, account: string): FocusRow {
  const { tokens, ticket, phase, mode, role, runtime, epoch, provider, model, estimated } = call
  const quantity = tokens.input + tokens.cacheRead + tokens.cacheWrite + tokens.cacheWriteLong + tokens.output
  const begin = Date.parse(call.startedAt)
  const month = new Date(Date.UTC(new Date(begin).getUTCFullYear(), new Date(begin).getUTCMonth(), 1))
  const next = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 1))
  return {
    BilledCost: cost,
    BillingAccountId: account,
    BillingCurrency: 'USD',
    BillingPeriodEnd: next.toISOString(),
    BillingPeriodStart: month.toISOString(),
    ChargeCategory: 'Usage',
    ChargeClass: null,
    ChargeDescription: `${estimated ? 'At most: ' : ''}tokens of ${model}`,
    ChargeFrequency: 'Usage-Based',
    ChargePeriodEnd: new Date(begin + call.durationMs).toISOString(),
    ChargePeriodStart: call.startedAt,
    ConsumedQuantity: quantity,
    ConsumedUnit: 'Tokens',
    ContractedCost: cost,
    EffectiveCost: cost,
    ListCost: cost,
    PricingCategory: 'Standard',
    PricingQuantity: quantity,
    PricingUnit: 'Tokens',
    ProviderName: provider,
    PublisherName: provider,
    ResourceId: call.call,
    ServiceCategory: 'AI and Machine Learning',
    ServiceName: call.dialect,
    SkuId: `${provider}/${model}`,
    SkuPriceId: `${provider}/${model}@${call.prices.slice(0, 12)}`,
    Tags: JSON.stringify({ ticket, phase, mode, role, agent: runtime, epoch }),
  }
}

function cell(value: string | number | null): string {
  if (value === null) return ''
  const text = String(value)
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
