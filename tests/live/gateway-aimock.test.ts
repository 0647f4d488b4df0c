import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dialect, PROVIDERS, type Provider } from '../../agents/gateway/index.ts'
import { openGatewayWith } from '../agents/gateway/opened.ts'

/** A scripted model server that somebody else wrote, put into a folder of its own for this test alone. */
const AIMOCK = '@copilotkit/aimock@1.43.0'

interface Mock {
  url: string
  start(): Promise<unknown>
  stop(): Promise<unknown>
  onMessage(text: string, answer: object): unknown
  getRequests(): { path: string }[]
}

let folder: string
let mock: Mock

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vt-aimock-'))
  await promisify(execFile)('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', AIMOCK])
  const entry = join(folder, 'node_modules', '@copilotkit', 'aimock', 'dist', 'index.js')
  const { LLMock } = (await import(pathToFileURL(entry).href)) as { LLMock: new (options: { port: number }) => Mock }
  mock = new LLMock({ port: 0 })
  const usage = { prompt_tokens: 1234, completion_tokens: 56, total_tokens: 1290, input_tokens: 1234, output_tokens: 56 }
  mock.onMessage('hi', { content: 'Hello there', usage })
  await mock.start()
}, 120_000)

afterAll(async () => {
  await mock?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** What 1,234 tokens in and 56 out cost at the prices of the tests; Ollama's counts are not made by this server. */
const EXPECTED: [Dialect, number][] = [
  ['openai-chat', 0.001794],
  ['openai-responses', 0.001794],
  ['anthropic-messages', 0.004542],
  // More than a thousand tokens in: the dearer tier.
  ['gemini', 0.003925],
]

describe('the gateway in front of aimock', () => {
  it.each(EXPECTED.flatMap(([dialect, costUsd]) => [true, false].map((stream) => ({ dialect, costUsd, stream }))))(
    'counts and prices exactly: $dialect, streaming $stream',
    async ({ dialect, costUsd, stream }) => {
      const upstreams = Object.fromEntries(
        PROVIDERS.map((name) => [name, { url: mock.url, key: 'a-key', prices: name }]),
      ) as Record<Provider, { url: string; key: string; prices: string }>
      const { calls, ask } = await openGatewayWith({}, [], { upstreams })
      const before = mock.getRequests().length
      const extra = dialect === 'gemini' ? { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] } : {}
      const response = await ask(dialect, { stream, extra })
      expect(response.status).toBe(200)
      expect(await response.text()).toContain('Hello')
      expect(mock.getRequests().length - before).toBe(1)
      expect(calls).toMatchObject([
        { outcome: 'ok', reported: 'all', tokens: { input: 1234, output: 56 }, costUsd, estimated: false },
      ])
    },
  )
})
