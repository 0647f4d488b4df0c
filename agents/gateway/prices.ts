import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { digestOf } from '../../core/canonical.ts'
import { checkShape } from '../../core/config.ts'
import type { FileReader } from '../../core/contracts/method.ts'
import type { TokenCounts } from '../../core/contracts/model.ts'
import { parseMapping } from '../../core/frontmatter.ts'
import { picoOf } from '../../core/money.ts'

/** Where a repository's own prices lie. */
export const PRICES_FILE = '.valuetrain/prices.yaml'

const price = z.number().min(0)
/** US dollars a million tokens. What is not there has no known price. */
const Usd = z.strictObject({
  input: price,
  output: price,
  cacheRead: price.optional(),
  cacheWrite: price.optional(),
  cacheWriteLong: price.optional(),
})
type Usd = z.infer<typeof Usd>

const source = { source: z.string().min(1), read: z.string().regex(/^\d{4}-\d{2}-\d{2}$/) }

export const ModelPrice = z.strictObject({
  provider: z.string().min(1),
  /** Exactly as they are called: a dated model may have another price than its short name. */
  ids: z.array(z.string().min(1)).min(1),
  usd: Usd,
  /** What a call costs whose whole prompt, caches included, has more tokens than this. */
  above: z.strictObject({ tokens: z.int().min(1), usd: Usd }).optional(),
  /** Tokens the model can take in, and give at most. */
  context: z.int().min(1).optional(),
  maxOutput: z.int().min(1).optional(),
  ...source,
})
export type ModelPrice = z.infer<typeof ModelPrice>

/** A provider whose models run on this machine and cost no money a token. */
const LocalPrice = z.strictObject({ provider: z.string().min(1), local: z.literal(true), ...source })

const PriceFile = z.strictObject({ version: z.literal(1), prices: z.array(z.union([ModelPrice, LocalPrice])) })
type Prices = z.infer<typeof PriceFile>['prices']

/** Prices that were pinned, by source; `version` is the digest that every call names. */
export interface PriceBook {
  readonly version: string
  readonly prices: Prices
}

/**
 * Returns the built-in prices with the repository's own before them.
 *
 * @param reader of the committed base, which may have `.valuetrain/prices.yaml`
 * @throws VT_YAML, VT_CONFIG naming file and key
 */
export async function loadPriceBook(reader: FileReader): Promise<PriceBook> {
  const [builtin, own] = await Promise.all([readFile(new URL('prices.yaml', import.meta.url), 'utf8'), reader.read(PRICES_FILE)])
  return priceBook([...(own === undefined ? [] : parsePrices(own, PRICES_FILE)), ...parsePrices(builtin, 'prices.yaml')])
}

/** Returns the prices a YAML text says. */
export function parsePrices(text: string, file: string): Prices {
  return checkShape(PriceFile, parseMapping(text, file), file).prices
}

/** Returns a book of prices; the first that fits a model counts. */
export function priceBook(prices: Prices): PriceBook {
  return { version: digestOf(prices), prices }
}

/** Returns a model's price, undefined when nobody has written it down. Zero is said only of local models. */
export function priceOf(book: PriceBook, provider: string, model: string): ModelPrice | undefined {
  const found = book.prices.find((entry) => entry.provider === provider && ('local' in entry || entry.ids.includes(model)))
  if (found === undefined || !('local' in found)) return found
  // Names of models that are only passed on to a paid service end this way.
  if (/[-:]cloud$/.test(model)) return undefined
  const usd = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cacheWriteLong: 0 }
  const { provider: by, source: from, read } = found
  // No prompt costs anything here, so no bound is needed: the greatest number stands for "whatever it takes".
  return { provider: by, ids: [model], usd, context: LIMITLESS, maxOutput: LIMITLESS, source: from, read }
}

const LIMITLESS = 1_000_000_000

/** Returns what tokens cost in pico-dollars; undefined when a kind of them has no known price. */
export function costOf(price: ModelPrice, tokens: TokenCounts): bigint | undefined {
  const { input, cacheRead, cacheWrite, cacheWriteLong } = tokens
  const prompt = input + cacheRead + cacheWrite + cacheWriteLong
  const usd = price.above !== undefined && prompt > price.above.tokens ? price.above.usd : price.usd
  let total = 0n
  for (const kind of ['input', 'output', 'cacheRead', 'cacheWrite', 'cacheWriteLong'] as const) {
    if (tokens[kind] === 0) continue
    const rate = usd[kind]
    if (rate === undefined) return undefined
    total += BigInt(tokens[kind]) * perToken(rate)
  }
  return total
}

/** Returns the most that a call of at most so many tokens can cost, in pico-dollars. */
export function worstCostOf(price: ModelPrice, bound: { input: number; output: number }): bigint {
  const rates: Usd[] = [price.usd, ...(price.above === undefined ? [] : [price.above.usd])]
  const dearest = (kinds: readonly (keyof Usd)[]) =>
    perToken(Math.max(...rates.flatMap((usd) => kinds.map((kind) => usd[kind] ?? 0))))
  const input = dearest(['input', 'cacheRead', 'cacheWrite', 'cacheWriteLong'])
  return BigInt(bound.input) * input + BigInt(bound.output) * dearest(['output'])
}

/** Pico-dollars a token: dollars a million tokens are micro-dollars a token. */
function perToken(usdPerMillion: number): bigint {
  return picoOf(usdPerMillion / 1e6)
}
