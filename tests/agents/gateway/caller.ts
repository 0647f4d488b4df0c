import process from 'node:process'
import { openGateway, PROVIDERS, type Provider } from '../../../agents/gateway/index.ts'
import { systemClock } from '../../../core/clock.ts'
import { systemIds } from '../../../core/ids.ts'
import { BOOK, NO_LIMITS, TAGS } from './opened.ts'

/** A program of its own that calls a model many times at once under a budget that it shares; prints what it was answered. */
const [url = '', file = '', project = '', count = ''] = process.argv.slice(2)
const upstreams = Object.fromEntries(PROVIDERS.map((name) => [name, { url, key: 'k', prices: name }])) as Record<
  Provider,
  { url: string; key: string; prices: string }
>
const gateway = openGateway({
  upstreams,
  book: BOOK,
  limits: { ...NO_LIMITS, project: Number(project) },
  past: async () => [],
  file,
  clock: systemClock,
  ids: systemIds(systemClock),
  newKey: () => 'a-run-key',
})
let spent = 0
const run = await gateway.open(TAGS, async ({ costUsd }) => {
  spent += costUsd ?? Number.NaN
})
const ask = async () => {
  const answer = await fetch(`${run.access.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${run.access.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'model-o', stream: true, max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }),
  })
  await answer.text()
  return answer.status
}
// Both programs begin when both are there.
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
const statuses = await Promise.all(Array.from({ length: Number(count) }, ask))
await run.close()
await gateway.close()
process.stdout.write(`${JSON.stringify({ statuses, spent })}\n`)
process.exit(0)
