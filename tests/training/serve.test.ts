import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SimulatedClock, systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { policyOf } from '../../training/nn/policy.ts'
import { randomFrom } from '../../training/random.ts'
import { featuresOf, openRouter } from '../../training/router/index.ts'
import {
  armOf,
  type Breach,
  type InUse,
  openLimiter,
  openMeters,
  type ServeOptions,
  servedPolicy,
  servedRouter,
  servePolicy,
} from '../../training/serve/index.ts'
import type { PolicyModel } from '../../training/types.ts'
import { emptyFolder } from './runs.ts'
import { FULL, tell } from './simulate.ts'

/** A policy that prefers one action, whatever it sees. */
function preferring(action: number): PolicyModel {
  return {
    version: 1,
    head: 'categorical',
    environment: 'Choice-v1',
    observation: { kind: 'box', shape: [2], low: [-1, -1], high: [1, 1] },
    action: { kind: 'discrete', n: 2, names: ['left', 'right'] },
    layers: [
      {
        inputs: 2,
        outputs: 2,
        activation: 'linear',
        weights: new Float32Array(4),
        bias: Float32Array.from([0, 0], (_, n) => (n === action ? 1 : 0)),
      },
    ],
  }
}

const use = (commit: string, action: number, challenger?: number): InUse => ({
  commit: commit.repeat(40).slice(0, 40),
  champion: served(action),
  ...(challenger === undefined ? {} : { challenger: served(challenger) }),
})
const served = (action: number) =>
  servedPolicy({ run: `run-of-${action}`, version: `version-${action}`, model: preferring(action) })

async function serving(more: Partial<ServeOptions> & { load: ServeOptions['load'] }) {
  const log = join(await emptyFolder(), 'choice.jsonl')
  const [breaches, notes] = [[] as Breach[], [] as string[]]
  const server = await servePolicy({
    policy: 'choice',
    port: 0,
    share: 0,
    explore: false,
    thresholds: {},
    pollMs: 3_600_000,
    log,
    clock: systemClock,
    ids: systemIds(systemClock),
    onBreach: async (breach) => void breaches.push(breach),
    onNote: (text) => notes.push(text),
    ...more,
  })
  let closed = false
  const close = async () => {
    if (!closed) await server.close()
    closed = true
  }
  onTestFinished(close)
  const post = async (route: string, body: unknown) => {
    const response = await fetch(`${server.url}${route}`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return {
    server,
    post,
    close,
    breaches,
    notes,
    lines: async () =>
      (await readFile(log, 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  }
}

describe('a served policy', () => {
  it('decides as the policy does, and logs each decision with its propensity and its later outcomes', async () => {
    const { post, close, lines, server } = await serving({ load: async () => use('a', 1), explore: true })
    const decided = await post('/decide', { observation: [0.5, -0.5], key: 'issue-7' })
    const { propensity } = policyOf(preferring(1)).act(Float32Array.of(0.5, -0.5), randomFrom(1))
    expect(decided).toMatchObject({
      status: 200,
      body: { arm: 'champion', run: 'run-of-1', version: 'version-1', name: expect.any(String) },
    })
    expect([propensity, 1 - propensity].some((chance) => Math.abs(chance - (decided.body.propensity as number)) < 1e-12)).toBe(
      true,
    )
    expect(await post('/outcome', { decision: decided.body.decision, score: 1, usd: 0.25 })).toEqual({
      status: 200,
      body: { recorded: true },
    })
    const health = (await (await fetch(`${server.url}/health`)).json()) as object
    expect(health).toMatchObject({ status: 'ok', policy: 'choice', champion: { run: 'run-of-1' }, challenger: null })
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain('valuetrain_decisions_total{policy="choice",arm="champion"} 1\n')
    expect(metrics).toContain('valuetrain_outcome_usd_sum{policy="choice",arm="champion"} 0.25\n')
    await close()
    const [decision, outcome] = await lines()
    expect(decision).toMatchObject({
      type: 'decision',
      ...decided.body,
      armPropensity: 1,
      key: 'issue-7',
      observation: [0.5, -0.5],
    })
    expect(outcome).toMatchObject({ type: 'outcome', decision: decided.body.decision, score: 1, usd: 0.25 })
  })

  it.each<[string, string, unknown, string]>([
    ['too few numbers', '/decide', { observation: [1] }, 'a list of 2 finite numbers'],
    ['text among them', '/decide', { observation: [1, 'a'] }, 'a list of 2 finite numbers'],
    ['no observation', '/decide', {}, 'a list of 2 finite numbers'],
    ['text that is not JSON', '/decide', 'observation', 'is not JSON'],
    ['a list', '/decide', [1, 2], 'no JSON object'],
    ['an outcome of no decision', '/outcome', { decision: 'x', score: 1 }, 'the text that /decide answered with'],
    ['an outcome without a score', '/outcome', { decision: '01J00000000000000000000009-a' }, '`score`, `usd`, or both'],
    ['a negative cost', '/outcome', { decision: '01J00000000000000000000009-a', usd: -1 }, 'below 0'],
  ])('refuses %s, and goes on', async (_, route, body, message) => {
    const { post } = await serving({ load: async () => use('a', 0) })
    expect(await post(route, body)).toMatchObject({
      status: 400,
      body: { error: { code: 'VT_SERVE_REQUEST', message: expect.stringContaining(message) } },
    })
    expect(await post('/nowhere', {})).toMatchObject({ status: 404 })
    expect(await post('/decide', { observation: [0, 0] })).toMatchObject({ status: 200, body: { action: 0 } })
  })

  it('fails no request while promotions and rollbacks come in under load', async () => {
    let inUse = use('a', 0)
    const { post, server, notes } = await serving({ load: async () => inUse })
    const answers: { status: number; body: Record<string, unknown> }[] = []
    const changes = [
      { at: 40, to: use('b', 1) },
      { at: 80, to: use('c', 0) },
      { at: 120, to: use('d', 1) },
    ]
    const load = Array.from({ length: 8 }, async () => {
      for (let n = 0; n < 20; n++) {
        answers.push(await post('/decide', { observation: [0, 0] }))
        const change = changes.find(({ at }) => at === answers.length)
        if (change === undefined) continue
        inUse = change.to
        await server.refresh()
      }
    })
    await Promise.all(load)
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(answers).toHaveLength(160)
    expect(new Set(answers.map(({ body }) => `${body.run} chose ${body.action}`))).toEqual(
      new Set(['run-of-0 chose 0', 'run-of-1 chose 1']),
    )
    expect((await post('/decide', { observation: [0, 0] })).body).toMatchObject({ run: 'run-of-1', action: 1 })
    expect(notes).toHaveLength(3)
  })

  it('keeps what it serves when the records cannot be read', async () => {
    let broken = false
    const { post, server, notes } = await serving({
      load: async () => {
        if (broken) throw new Error('two records say what the champion is')
        return use('a', 1)
      },
    })
    broken = true
    await server.refresh()
    expect(await post('/decide', { observation: [0, 0] })).toMatchObject({ status: 200, body: { action: 1 } })
    expect(notes).toEqual(['what is in use cannot be read, nothing changes: two records say what the champion is'])
  })

  it('splits by key, and tells a limit that does not hold once until it holds again', async () => {
    const inUse = use('a', 0, 1)
    const { post, server, breaches } = await serving({ load: async () => inUse, share: 0.3, thresholds: { scoreAtLeast: 0.5 } })
    const first = await Promise.all(
      Array.from({ length: 200 }, (_, n) => post('/decide', { observation: [0, 0], key: `issue-${n}` })),
    )
    const again = await Promise.all(
      Array.from({ length: 60 }, (_, n) => post('/decide', { observation: [0, 0], key: `issue-${n}` })),
    )
    const arms = first.map(({ body }) => body.arm)
    expect(again.map(({ body }) => body.arm)).toEqual(arms.slice(0, 60))
    expect(arms.filter((arm) => arm === 'challenger').length).toBeGreaterThan(30)
    for (const { body } of first) expect(body.propensity).toBeCloseTo(body.arm === 'challenger' ? 0.3 : 0.7, 12)
    const champions = first.filter(({ body }) => body.arm === 'champion').slice(0, 110)
    for (const { body } of champions) await post('/outcome', { decision: body.decision, score: 0 })
    await server.refresh()
    await server.refresh()
    expect(breaches).toEqual([{ what: 'scoreAtLeast', arm: 'champion', value: 0, limit: 0.5, of: 110 }])
    expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({
      status: 'degraded',
      challenger: { run: 'run-of-1', share: 0.3 },
    })
  })
})

describe('the limiter', () => {
  it('admits as many at once as a second gives, and never more than that and the rate together', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 2_000, noNaN: true }),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }),
        (rate, pauses) => {
          let now = 0
          const admit = openLimiter(rate, { monotonic: () => now })
          let admitted = 0
          for (const pause of pauses) {
            now += pause
            if (admit() === 0) admitted += 1
          }
          expect(admitted).toBeLessThanOrEqual(Math.max(1, rate) + (now * rate) / 1000 + 1e-6)
        },
      ),
    )
    let now = 0
    const admit = openLimiter(10, { monotonic: () => now })
    expect(Array.from({ length: 12 }, admit)).toEqual([...new Array(10).fill(0), 100, 100])
    // Who waits as long as it was told is let in, and nobody before.
    now = 99
    expect(admit()).toBe(1)
    now = 100
    expect([admit(), admit()]).toEqual([0, 100])
  })

  it('answers what is too much with 429 and when to come again, and counts it as no failure', async () => {
    const { post, server } = await serving({ load: async () => use('a', 0), rate: 2 })
    const answers = await Promise.all(Array.from({ length: 5 }, () => post('/decide', { observation: [0, 0] })))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThanOrEqual(2)
    expect(refused[0]?.body.error).toMatchObject({
      code: 'VT_SERVE_RATE',
      message: expect.stringContaining('more than 2 decisions a second'),
    })
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toContain(`valuetrain_refused_total{policy="choice"} ${refused.length}\n`)
    expect(metrics).toContain('valuetrain_failures_total{policy="choice",arm="champion"} 0\n')
  })
})

describe('the split', () => {
  it('keeps every key where it is when the challenger gets a larger share', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (key, a, b) => {
          const [small, large] = [Math.min(a, b), Math.max(a, b)]
          if (armOf('p', key, small) === 'challenger') expect(armOf('p', key, large)).toBe('challenger')
        },
      ),
    )
  })

  it('gives the challenger its share of 10,000 keys within a point, through the server in the whole run', async () => {
    const inUse = use('a', 0, 1)
    for (const share of [0.1, 0.25, 0.5]) {
      const { post } = await serving({ load: async () => inUse, share })
      const arms: unknown[] = []
      while (arms.length < 10_000) {
        const keys = Array.from({ length: 50 }, (_, n) => `issue-${arms.length + n}`)
        const asked = FULL ? keys.map(async (key) => (await post('/decide', { observation: [0, 0], key })).body.arm) : undefined
        arms.push(...(asked === undefined ? keys.map((key) => armOf('choice', key, share)) : await Promise.all(asked)))
      }
      const given = arms.filter((arm) => arm === 'challenger').length / arms.length
      tell(`G21 share ${share}: ${(100 * given).toFixed(2)} % of ${arms.length} ${FULL ? 'requests' : 'keys'} to the challenger`)
      expect(Math.abs(given - share)).toBeLessThan(0.01)
    }
  })
})

describe('the meters', () => {
  it('see each limit that does not hold, and none on too little', () => {
    const meters = openMeters()
    const clock = new SimulatedClock()
    const limits = { latencyP99Ms: 2, errorShare: 0.01, usdPerDecision: 0.1, scoreAtLeast: 0.9 }
    for (let n = 0; n < 99; n++) meters.answered('champion', 50)
    expect([clock.now() > 0, meters.breaches(limits)]).toEqual([true, []])
    for (let n = 0; n < 10; n++) meters.failed('champion')
    meters.answered('champion', 50)
    for (let n = 0; n < 100; n++) meters.outcome('champion', { usd: 0.2, score: 0.8 })
    expect(meters.breaches(limits).map(({ what, value }) => [what, Number(value.toPrecision(3))])).toEqual([
      ['latencyP99Ms', 50],
      ['errorShare', 0.0909],
      ['usdPerDecision', 0.2],
      ['scoreAtLeast', 0.8],
    ])
    expect(meters.breaches({})).toEqual([])
  })
})

describe('a served router', () => {
  const ARMS = ['agent:cheap', 'agent:strong']
  const policy = openRouter({ kind: 'thompson', arms: ARMS, features: ['bias'], price: 0.1, settings: {} })
  for (let n = 0; n < 60; n++) {
    for (const arm of ARMS) {
      const resolved = arm === 'agent:strong' || n % 3 === 0
      policy.learn({ bias: 1 }, [{ arm, passed: resolved, resolved, usd: 0.1 }])
    }
  }
  const load = async (): Promise<InUse> => ({
    commit: 'a'.repeat(40),
    champion: servedRouter({ run: 'run-of-router', version: 'v', policy }),
  })

  it('chooses an arm for facts of an issue, or for features, and leaves out what was refused', async () => {
    const { post, close, lines } = await serving({ load, explore: true })
    const facts = { labels: ['bug', 'auto'], mode: 'build', title: 'Mend it', body: 'Please.', attempt: 2 }
    const drawn = await post('/decide', { ...facts, key: 'issue-7' })
    expect(drawn).toMatchObject({ status: 200, body: { run: 'run-of-router', arm: 'champion' } })
    const { action, name, propensity, candidates, decision } = drawn.body as {
      action: number
      candidates: { id: string; propensity: number }[]
    } & Record<string, unknown>
    expect(candidates[action]).toEqual({ id: name, propensity })
    expect(candidates.reduce((sum, one) => sum + one.propensity, 0)).toBeCloseTo(1, 12)
    expect(candidates[1]?.propensity).toBeGreaterThan(0.9)
    const other = await post('/decide', { features: { bias: 1 }, refused: ['agent:strong'] })
    expect(other.body).toMatchObject({ name: 'agent:cheap', propensity: 1 })
    expect(await post('/outcome', { decision, score: 1, usd: 0.2 })).toMatchObject({ status: 200 })
    await close()
    const features = featuresOf(facts)
    expect((await lines())[0]).toMatchObject({ type: 'decision', key: 'issue-7', features, candidates })
  })

  it.each<[string, unknown, string]>([
    ['nothing', {}, 'a router decides on `features`'],
    ['labels that are no list', { labels: 'bug' }, '`labels` is a list of texts'],
    ['features that are no numbers', { features: { bias: 'one' } }, '`features` is finite numbers by name'],
    ['an attempt before the first', { labels: [], attempt: 0 }, '`attempt` is a whole number from 1'],
    ['a title that is no text', { title: 7 }, '`title` is text'],
    ['an arm that nobody knows', { labels: [], refused: ['agent:x'] }, '`refused` names agent:x'],
  ])('refuses %s', async (_, request, message) => {
    const { post } = await serving({ load })
    const error = { code: 'VT_SERVE_REQUEST', message: expect.stringContaining(message) }
    expect(await post('/decide', request)).toMatchObject({ status: 400, body: { error } })
  })
})
