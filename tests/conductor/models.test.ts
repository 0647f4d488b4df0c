import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Limits, openGateway, PROVIDERS, type Provider } from '../../agents/gateway/index.ts'
import { callsOf, costReport } from '../../conductor/costs.ts'
import { committedConfig } from '../../conductor/definitions.ts'
import { runIssue } from '../../conductor/run.ts'
import { findTickets } from '../../conductor/sources.ts'
import { systemClock } from '../../core/clock.ts'
import type { ModelGateway } from '../../core/contracts/model.ts'
import type { Runtime } from '../../core/contracts/runtime.ts'
import { systemIds } from '../../core/ids.ts'
import { type ModelServer, startModelServer } from '../agents/gateway/model-server.ts'
import { BOOK, NO_LIMITS } from '../agents/gateway/opened.ts'
import { makeRepository } from '../support/repository.ts'
import { CONFIG, issueFile, joinLine, type Line } from './line.ts'

/** A small agent: asks the model three times over HTTP, and mends the value when it was answered. */
const caller: Runtime = {
  id: 'caller',
  title: 'asks a model',
  callsModels: true,
  probe: async () => ({ ready: true, why: 'it is here' }),
  accepts: () => ({ accepted: true, why: 'it takes everything' }),
  async turn({ cwd, env, signal }) {
    for (let call = 0; call < 3; call += 1) {
      const answer = await fetch(`${env.ANTHROPIC_BASE_URL}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': env.ANTHROPIC_API_KEY ?? '', 'anthropic-version': '2023-06-01' },
        body: JSON.stringify({ model: 'model-a', stream: true, max_tokens: 100, messages: [] }),
      })
      await answer.text()
      if (!answer.ok) return { outcome: signal.aborted ? 'cancelled' : 'failed', reason: `the model answered ${answer.status}` }
    }
    await writeFile(join(cwd, 'value.txt'), 'right')
    return { outcome: 'completed', reason: 'mended', usage: { tokensIn: 1, tokensOut: 1, costUsd: 0 } }
  },
}

interface Place {
  line: Line
  provider: ModelServer
  /** Joins ports anew, as a restarted program does, with a gateway whose past is the log. */
  restart(limits: Partial<Limits>): Promise<Line>
}

async function makePlace(limits: Partial<Limits> = {}): Promise<Place> {
  const provider = await startModelServer()
  const repository = await makeRepository({
    '.valuetrain/config.yaml': CONFIG,
    'value.txt': 'wrong',
    ...issueFile(1, 'Mend it', ['auto', 'agent:caller']),
  })
  const restart = async (budgets: Partial<Limits>) => {
    const line = await joinLine(repository)
    const models = gatewayTo(provider, line, budgets)
    onTestFinished(() => models.close())
    return { ...line, ports: { ...line.ports, runtimes: [...line.ports.runtimes, caller], models } }
  }
  return { line: await restart(limits), provider, restart }
}

function gatewayTo(provider: ModelServer, { ports }: Line, limits: Partial<Limits>): ModelGateway {
  const upstreams = Object.fromEntries(
    PROVIDERS.map((name) => [name, { url: provider.url, key: 'provider-key', prices: name }]),
  ) as Record<Provider, { url: string; key: string; prices: string }>
  return openGateway({
    upstreams,
    book: BOOK,
    limits: { ...NO_LIMITS, ...limits },
    past: async () =>
      (await callsIn(ports.repository)).map(({ turn, ticket, startedAt, costUsd }) => ({
        run: turn,
        ticket,
        day: startedAt.slice(0, 10),
        costUsd,
      })),
    clock: systemClock,
    ids: systemIds(systemClock),
    newKey: () => `key-${systemIds(systemClock).ulid()}`,
  })
}

const callsIn = async (repository: Line['ports']['repository']) =>
  callsOf(await findTickets(repository, await committedConfig(repository)))

describe('a turn that calls models', () => {
  it('has each call in the session, and its cost equals the provider’s journal by every grouping', async () => {
    const { line, provider } = await makePlace()
    provider.scripts.push({ tokens: { input: 100, output: 20, cacheRead: 7 } }, { tokens: { input: 200, output: 10 } })
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(outcome).toMatchObject({ outcome: 'done' })
    const calls = await callsIn(line.ports.repository)
    expect(calls.map(({ tokens }) => tokens)).toEqual(provider.journal.map(({ tokens }) => tokens))
    expect(calls[0]).toMatchObject({
      ticket: 'build_1',
      mode: 'build',
      role: 'studio',
      runtime: 'caller',
      epoch: 1,
      model: 'model-a',
    })
    // At 3, 15 and 0.3 dollars a million: 310 in, 35 out, 7 from the cache.
    const costUsd = 0.0014571
    for (const by of ['ticket', 'mode', 'role', 'agent', 'model', 'day'] as const) {
      const { groups, total } = costReport(calls, by)
      expect(total).toMatchObject({ calls: 3, tokensIn: 317, tokensOut: 35, costUsd, unknown: 0, estimatedUsd: 0 })
      expect(groups.map((group) => ({ ...group, key: 'total' }))).toEqual([total])
    }
    // What the agent itself says of its usage is not taken.
    const ended = line.written.find(({ entry }) => entry.type === 'TURN_ENDED')?.entry.data
    expect(ended).toMatchObject({ usage: { tokensIn: 317, tokensOut: 35, costUsd } })
    expect(JSON.stringify(line.written)).not.toContain('provider-key')
  })

  it('is parked where a budget does not hold the next call, also after a restart, and goes on when there is more', async () => {
    const { line, provider, restart } = await makePlace()
    provider.scripts.push(...Array.from({ length: 9 }, () => ({ tokens: { input: 100_000, output: 100 } })))
    const parked = await runIssue((await restart({ ticket: 0.31 })).ports, { issue: 1, merge: 'auto', unattended: true })
    expect(parked).toMatchObject({ outcome: 'waiting', reasons: [expect.stringContaining('the ticket budget of $0.31')] })
    expect(provider.journal.length).toBe(1)
    const [found] = await findTickets(line.ports.repository, await committedConfig(line.ports.repository))
    expect(found?.state.ledger.waiting).toMatchObject({ reason: 'budget', needsUsd: expect.any(Number) })
    expect(found?.state.ledger.decisions).toEqual([])
    await runIssue((await restart({ ticket: 0.31 })).ports, { issue: 1, merge: 'auto', unattended: true })
    expect(provider.journal.length).toBe(1)
    const done = await runIssue((await restart({ ticket: 5 })).ports, { issue: 1, merge: 'auto', unattended: true })
    expect(done).toMatchObject({ outcome: 'done' })
    expect(provider.journal.length).toBe(4)
  })

  it('is parked until the provider’s limit ends, and this costs no attempt', async () => {
    const { line, provider } = await makePlace()
    const refusal = { status: 429, headers: { 'retry-after': '3600' }, body: '{"error":{"type":"rate_limit_error"}}' }
    provider.scripts.push({}, { refusal })
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'waiting' })
    const [found] = await findTickets(line.ports.repository, await committedConfig(line.ports.repository))
    expect(found?.state.ledger.waiting).toMatchObject({ reason: 'usage-limit', until: expect.stringMatching(/^2\d{3}-/) })
    expect(found?.state.control.strikes).toEqual({})
  })

  it('that uses up the share of one run has failed, and is blocked after three', async () => {
    const { line, provider } = await makePlace({ run: 0.01 })
    provider.scripts.push(...Array.from({ length: 9 }, () => ({ tokens: { input: 1000, output: 100 } })))
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect(outcome).toMatchObject({ outcome: 'blocked' })
    expect(outcome.reasons.join(' ')).toContain('the run budget of $0.01')
  })
})
