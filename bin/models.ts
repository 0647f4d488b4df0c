import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { callsOf } from '../conductor/costs.ts'
import { type Config, defaultConfig } from '../core/config.ts'
import type { FileReader } from '../core/contracts/method.ts'
import type { ModelCall, ModelGateway } from '../core/contracts/model.ts'
import { usdOf } from '../core/money.ts'
import type { Repository } from '../core/repository.ts'
import type { Context } from './context.ts'

/**
 * Returns the gateway of a repository: keys from the environment, addresses and budgets from the committed
 * configuration, prices from the built-in book and the committed `.valuetrain/prices.yaml`, and what was spent from the
 * sessions, so that a restart forgets nothing; outside a repository there is neither past nor budget. It listens and reads only when the first run asks for it.
 *
 * @throws VT_CONFIG, VT_YAML when the repository's prices are wrong
 */
export async function gatewayFor(context: Context, repository: Repository | undefined, config: Config): Promise<ModelGateway> {
  const [{ costOf, loadPriceBook, openGateway, priceOf }, { findTickets }, { readerAt }] = await Promise.all([
    import('../agents/gateway/index.ts'),
    import('../conductor/sources.ts'),
    import('../core/reader.ts'),
  ])
  const book = await loadPriceBook(repository === undefined ? NOTHING : readerAt(repository.git, 'HEAD'))
  /** What was called before its price was written down has one now, if it is written down by now. */
  const costAgain = ({ costUsd, provider, model, tokens, reported }: ModelCall): number | null => {
    const price = costUsd === null && reported === 'all' ? priceOf(book, provider, model) : undefined
    const pico = price === undefined ? undefined : costOf(price, tokens)
    return pico === undefined ? costUsd : usdOf(pico)
  }
  return openGateway({
    upstreams: upstreamsOf(config, context.env),
    book,
    limits: config.budgets,
    past: async () =>
      callsOf(repository === undefined ? [] : await findTickets(repository, config)).map((call) => ({
        call: call.call,
        run: call.turn,
        ticket: call.ticket,
        day: call.startedAt.slice(0, 10),
        costUsd: costAgain(call),
      })),
    ...(repository === undefined ? {} : { file: join(repository.stateDir, 'budgets', 'till.json') }),
    most: { calls: config.limits.calls, ...(config.limits.tokens === null ? {} : { tokens: config.limits.tokens }) },
    clock: context.clock,
    ids: context.ids,
    newKey: () => `vt-run-${randomBytes(24).toString('hex')}`,
  })
}

const NOTHING: FileReader = { source: 'nothing', read: async () => undefined, list: async () => [] }

/** A provider at another address than its usual one has that address's prices, which the built-in book does not know. */
function upstreamsOf({ models }: Config, env: NodeJS.ProcessEnv) {
  const usual = defaultConfig().models
  const of = (provider: keyof Config['models']) => {
    const { url, key, prices } = models[provider]
    return {
      url,
      key: key === null ? undefined : env[key],
      prices: prices ?? (url === usual[provider].url ? provider : new URL(url).host),
    }
  }
  return { openai: of('openai'), anthropic: of('anthropic'), gemini: of('gemini'), ollama: of('ollama') }
}
