import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { startModelServer } from '../agents/gateway/model-server.ts'
import { startAimock } from '../agents/models.ts'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

/** An agent that nobody named: it asks the model twice, tells what it sees of keys, and mends the value. */
const AGENT = `import { writeFileSync } from 'node:fs'
for (let call = 0; call < 2; call += 1) {
  const answer = await fetch(process.env.ANTHROPIC_BASE_URL + '/v1/messages', {
    method: 'POST',
    headers: { 'x-api-key': process.env.ANTHROPIC_API_KEY, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: 'model-x', stream: true, max_tokens: 50, messages: [] }),
  })
  console.log(answer.status, (await answer.text()).length)
  if (!answer.ok) process.exit(1)
}
writeFileSync('value.txt', 'right')
`

const PRICES = `version: 1
prices:
  - { provider: anthropic, ids: [model-x], usd: { input: 2, output: 10 }, source: a contract, read: 2026-01-01 }
`

const { ready } = await probeJail(process.env)
/** In the jail where one can be built. */
const WAYS = ready ? ['required'] : ['off']

describe('valuetrain run, with an agent that calls models', () => {
  it.each(WAYS)('gives it a metered way, keeps the key, and knows the cost from the sessions alone: jail %s', async (jail) => {
    const provider = await startModelServer()
    provider.scripts.push({ tokens: { input: 1000, output: 100 } }, { tokens: { input: 500, output: 50 } })
    const repository = await makeRepository({
      'agent.mjs': AGENT,
      'value.txt': 'wrong',
      '.valuetrain/prices.yaml': PRICES,
      '.valuetrain/config.yaml': `version: 1
jail: '${jail}'
commands:
  test: [sh, -c, 'test "$(cat value.txt)" = right']
agents:
  caller: { command: [node, agent.mjs], callsModels: true }
models:
  anthropic: { url: '${provider.url}', key: MY_PROVIDER_KEY, prices: anthropic }
budgets: { ticket: 1 }
`,
    })
    const env = { ...repository.env, MY_PROVIDER_KEY: 'key-of-the-provider' }
    const terminal = openTerminal({ dir: repository.dir, env, clock: systemClock, ids: systemIds(systemClock) })
    await terminal.run('issue', 'new', '--title', 'Mend it', '--label', 'auto')
    const ran = await terminal.run('run', '1', '--agent', 'caller', '--merge', 'auto')
    expect({ code: ran.code, out: ran.code === 0 ? '' : ran.stdout + ran.stderr }).toEqual({ code: 0, out: '' })
    expect(provider.requests.map(({ headers }) => headers['x-api-key'])).toEqual(['key-of-the-provider', 'key-of-the-provider'])
    const report = JSON.parse((await terminal.run('cost', 'report', '--by', 'agent', '--json')).stdout)
    expect(report.groups).toMatchObject([
      { key: 'caller', calls: 2, tokensIn: 1500, tokensOut: 150, costUsd: 0.0045, unknown: 0 },
    ])
    const log = await repository.git.text(['log', '-p', '--all'])
    expect(log).not.toContain('key-of-the-provider')
    expect(log).not.toContain('vt-run-')
  })

  it('works a bare model that the configuration names alone, in our own loop of tools', async () => {
    const mock = await startAimock()
    const usage = { prompt_tokens: 1_000, completion_tokens: 100 }
    let at = 0
    mock.on({ predicate: () => true }, () => {
      const [name, args] = at++ === 0 ? ['bash', { command: 'printf right > value.txt' }] : ['done', { summary: 'It is right.' }]
      return { toolCalls: [{ name: name as string, arguments: JSON.stringify(args) }], usage }
    })
    const config = {
      commands: { test: ['sh', '-c', 'test "$(cat value.txt)" = right'] },
      agents: { bare: { protocol: 'openai', model: 'gpt-4o' } },
      models: { openai: { url: mock.url, key: 'MY_PROVIDER_KEY', prices: 'mine' } },
      budgets: { day: 1 },
    }
    const repository = await makeRepository({
      'value.txt': 'wrong',
      '.valuetrain/prices.yaml': PRICES.replace('anthropic', 'mine')
        .replace('model-x', 'gpt-4o')
        .replace('source', 'context: 100000, source'),
      '.valuetrain/config.yaml': JSON.stringify(config),
    })
    const env = { ...repository.env, MY_PROVIDER_KEY: 'key-of-the-provider' }
    const terminal = openTerminal({ dir: repository.dir, env, clock: systemClock, ids: systemIds(systemClock) })
    await terminal.run('issue', 'new', '--title', 'Mend it', '--label', 'auto')
    const ran = await terminal.run('run', '1', '--agent', 'bare', '--merge', 'auto')
    expect({ code: ran.code, out: ran.code === 0 ? '' : ran.stdout + ran.stderr }).toEqual({ code: 0, out: '' })
    const report = JSON.parse((await terminal.run('cost', 'report', '--json')).stdout)
    const calls = mock.getRequests().filter(({ path }) => path === '/v1/chat/completions').length
    expect([calls, report.total.calls, report.total.costUsd]).toEqual([2, 2, 0.006])
  })
})
