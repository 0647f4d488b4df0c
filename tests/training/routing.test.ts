import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { withdrawHarmful } from '../../bin/canary.ts'
import { SimulatedClock, systemClock } from '../../core/clock.ts'
import { defaultConfig } from '../../core/config.ts'
import { countingIds, systemIds } from '../../core/ids.ts'
import { readerAt } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { localForge } from '../../forge/index.ts'
import { foldAlias, promote, promotionFile, readPromotions, renderPromotion } from '../../training/policy/index.ts'
import { randomFrom } from '../../training/random.ts'
import * as router from '../../training/router/index.ts'
import { checkRoutingConfig, parseAnyTrainConfig } from '../../training/router/train/config.ts'
import { executeRouting, type RoutingOrder } from '../../training/router/train/execute.ts'
import { makeRepository } from '../support/repository.ts'
import { emptyFolder, policiesIn } from './runs.ts'
import { FULL } from './simulate.ts'

const ARMS = ['agent:cheap', 'agent:strong']
const at = (n: number) => new Date(Date.UTC(2026, 0, 1) + n * 60_000).toISOString()

/** Tickets whose first choice was drawn evenly: the strong agent solves nine of ten, the cheap one three of ten. */
function log(tickets: number): router.TicketLog[] {
  const random = randomFrom('log')
  return Array.from({ length: tickets }, (_, n): router.TicketLog => {
    const features = router.featuresOf({ labels: [random.uniform() < 0.5 ? 'bug' : 'docs'], mode: 'build' })
    const decision = (attempt: number, chosen: string, chance: number): router.RoutingDecision => ({
      id: `${n}-${attempt}`,
      at: at(2 * n + attempt),
      arms: ARMS.map((id) => ({ id, propensity: chance === 1 ? (id === chosen ? 1 : 0) : chance })),
      chosen,
      propensity: chance,
      features,
      policy: 'router@untrained',
      stage: 'on',
      phase: 'build',
      attempt,
      outcomes: { usd: { value: chosen === 'agent:strong' ? 0.5 : 0.05, at: at(2 * n + attempt) } },
    })
    const solves = (arm: string) => random.uniform() < (arm === 'agent:strong' ? 0.9 : 0.3)
    const first = ARMS[random.below(2)] as string
    const other = ARMS.find((arm) => arm !== first) as string
    if (solves(first)) return { ticket: `build_${n}`, decisions: [decision(1, first, 0.5)], ended: 'merged' }
    return {
      ticket: `build_${n}`,
      decisions: [decision(1, first, 0.5), decision(2, other, 1)],
      ended: solves(other) ? 'merged' : 'failed',
    }
  })
}

async function orderOf(
  algorithm: string,
  more: Partial<RoutingOrder> = {},
  settings: Record<string, unknown> = {},
): Promise<RoutingOrder> {
  const root = more.root ?? (await emptyFolder())
  return {
    config: checkRoutingConfig(
      { name: 'router', algorithm, settings, environment: { decisions: { price: 0.1 } }, evaluation: { heldOut: 0.6 } },
      'train.yaml',
    ),
    root,
    stateDir: join(root, '.state'),
    champion: undefined,
    provenance: { commit: null, dirty: false, source: 'train.yaml' },
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => {},
    decisions: async () => log(900),
    ...more,
  }
}

describe('the log as data', () => {
  it('leaves out what nobody knows yet, and calls right only what was merged and kept', () => {
    const [one] = log(1) as [router.TicketLog]
    const ended = (how: router.TicketLog['ended']) => router.casesOf([{ ...one, ended: how }])
    expect(ended('open')).toEqual([])
    const last = (how: router.TicketLog['ended']) => ended(how)[0]?.steps.at(-1)
    expect([last('merged'), last('reverted'), last('failed')]).toMatchObject([
      { passed: true, resolved: true },
      { passed: true, resolved: false },
      { passed: false, resolved: false },
    ])
  })

  const KINDS: [string, Record<string, unknown>][] = [
    ['thompson', {}],
    ['linucb', {}],
    ['lints', {}],
    ['logistic', {}],
    ['cascade', {}],
    ['clone', { updates: 300 }],
    ['cql', { updates: 300 }],
  ]
  const tried = KINDS.filter(([kind]) => FULL || kind === 'thompson' || kind === 'cascade' || kind === 'cql' || kind === 'clone')

  it.each(tried)('teaches %s, which is judged by off-policy estimates and read back as it was', async (algorithm, settings) => {
    const order = await orderOf(algorithm, {}, settings)
    const told: number[] = []
    const outcome = await executeRouting({ ...order, onProgress: ({ steps }) => told.push(steps) })
    if (outcome.state !== 'done') throw new Error('the run was stopped')
    expect([told[0], told.toSorted((a, b) => a - b)]).toEqual([0, told])
    // Imitating even draws is no better than they are. Those that plan retries start with the cheap agent, for the same work.
    const plans = algorithm === 'cascade' || algorithm === 'cql'
    if (plans) expect(outcome.verdict.candidate).toBeGreaterThan(0.8)
    else expect(outcome.verdict.verdict).toBe(algorithm === 'clone' ? 'fail' : 'pass')
    expect(await policiesIn(order.root, outcome.folder)).toEqual(['candidate', 'untrained', 'random'])
    const read = (name: string) => readFile(join(order.root, outcome.folder, name))
    const isNetwork = algorithm === 'clone' || algorithm === 'cql'
    const files = {
      model: (await read('model.json')).toString(),
      weights: isNetwork ? await read('policy.safetensors') : new Uint8Array(),
    }
    const { policy } = router.parseRouter(files, 'test')
    const one = { features: router.featuresOf({ labels: ['bug'], mode: 'build' }), refused: [] }
    const chances = router.chancesFor(policy, ARMS, one, randomFrom(1))
    expect(chances.reduce((sum, chance) => sum + chance, 0)).toBeCloseTo(1, 12)
    if (algorithm !== 'clone') expect(chances[plans ? 0 : 1]).toBeGreaterThan(0.9)
    const { estimates, fitted } = JSON.parse((await read('eval.json')).toString())
    expect(Object.keys(estimates.candidate.estimates)).toEqual(['ips', 'snips', 'dm', 'dr', 'switch-dr'])
    if (algorithm === 'thompson') {
      expect(estimates.candidate.estimates.dr.estimate).toBeGreaterThan(0.75)
      expect(Math.abs(fitted - 0.85)).toBeLessThan(0.12)
      expect(() => router.parseRouter({ ...files, model: '{}' }, 'run x')).toThrow(
        expect.objectContaining({ code: 'VT_ROUTER_FOREIGN' }),
      )
    }
  })

  it('gives the same bytes when a run is stopped and resumed', async () => {
    const [whole, parts] = [await orderOf('lints'), await orderOf('lints')]
    const stop = new AbortController()
    const first = await executeRouting({ ...parts, signal: stop.signal, onProgress: ({ steps }) => steps > 50 && stop.abort() })
    expect(first).toMatchObject({ state: 'paused' })
    const [a, b] = [await executeRouting(whole), await executeRouting(parts)]
    if (a.state !== 'done' || b.state !== 'done') throw new Error('a run was stopped')
    expect(b.version).toBe(a.version)
    const manifest = async (root: string, folder: string) => readFile(join(root, folder, 'run.yaml'), 'utf8')
    expect(await manifest(parts.root, b.folder)).toBe(await manifest(whole.root, a.folder))
  })

  it('is refused when it is too short, and when a configuration asks for what there is not', async () => {
    await expect(executeRouting(await orderOf('thompson', { decisions: async () => log(4) }))).rejects.toMatchObject({
      code: 'VT_ROUTER_DATA',
    })
    const alone = log(60).map((ticket) => {
      const decisions = ticket.decisions.map((one) => ({
        ...one,
        arms: [{ id: 'agent:strong', propensity: 1 }],
        chosen: 'agent:strong',
        propensity: 1,
      }))
      return { ...ticket, decisions }
    })
    await expect(executeRouting(await orderOf('thompson', { decisions: async () => alone }))).rejects.toThrow('nothing to choose')
    const parse = (text: string) => parseAnyTrainConfig(`name: router\n${text}`, 'train.yaml')
    await expect(parse('algorithm: tompson')).rejects.toThrow('did you mean "thompson"')
    await expect(parse('algorithm: cql\nenvironment: { outcomes: { table: t.csv } }')).rejects.toThrow('cql learns from a log')
    await expect(parse('algorithm: lints\nenvironment: { decisions: {} }\nsettings: { alfa: 1 }')).rejects.toThrow(
      'did you mean "alpha"',
    )
  })
})

describe('a choice', () => {
  const policy = (kind: router.RouterKind) =>
    router.openRouter({ kind, arms: ARMS, features: ['bias'], price: 0.1, settings: {} })
  const inUse = (version: string, kind: router.RouterKind = 'thompson') => ({ run: version, version, policy: policy(kind) })
  const facts = (stage: 'shadow' | 'canary' | 'on', more: Partial<router.ChoiceFacts> = {}): router.ChoiceFacts => ({
    router: { ...defaultConfig().router, stage, arms: ARMS, share: 0.5 },
    incumbent: 'agent:cheap',
    ticket: 'build_1',
    issue: { number: 1, title: 'Mend it', body: '', labels: ['bug'] },
    phase: { name: 'build', mode: 'build' },
    attempt: 1,
    refused: [],
    champion: inUse('a'.repeat(64)),
    challenger: undefined,
    ...more,
  })

  it('is the configuration’s in the shadow, with what the policy would have done beside it', () => {
    expect(router.chooseArm(facts('shadow'))).toMatchObject({
      chosen: 'agent:cheap',
      policy: 'configuration',
      arms: [{ id: 'agent:cheap', propensity: 1 }],
      watched: { policy: 'router@aaaaaaaaaaaa', arms: ARMS.map((id) => ({ id, propensity: expect.closeTo(0.5, 2) })) },
    })
    expect(router.chooseArm(facts('shadow', { challenger: inUse('b'.repeat(64)) }))).toMatchObject({
      policy: 'router@aaaaaaaaaaaa',
      watched: { policy: 'router@bbbbbbbbbbbb' },
    })
  })

  it('is the trial’s in its lane of a canary, and a person’s where a cascade hands over', () => {
    const lanes = Array.from({ length: 40 }, (_, n) =>
      router.chooseArm(
        facts('canary', { issue: { number: n, title: '', body: '', labels: [] }, challenger: inUse('b'.repeat(64)) }),
      ),
    )
    const of = (lane: string) => lanes.filter(({ canary }) => canary?.lane === lane)
    expect(of('challenger').length).toBeGreaterThan(10)
    expect(new Set(of('challenger').map((one) => one.policy))).toEqual(new Set(['router@bbbbbbbbbbbb']))
    expect(new Set(of('champion').map((one) => one.policy))).toEqual(new Set(['router@aaaaaaaaaaaa']))
    // What decided beside a challenger that was withdrawn goes on with every issue, and is not on trial itself.
    const after = Array.from({ length: 20 }, (_, n) =>
      router.chooseArm(facts('canary', { issue: { number: n, title: '', body: '', labels: [] }, isTrialOver: true })),
    )
    expect(new Set(after.map(({ policy, stage, canary }) => [policy, stage, canary].join()))).toEqual(
      new Set(['router@aaaaaaaaaaaa,canary,']),
    )
    const cascade = router.chooseArm(facts('on', { champion: inUse('c'.repeat(64), 'cascade'), refused: ARMS }))
    expect(cascade.chosen).toBe(router.PERSON_ARM)
    expect(() => router.chooseArm(facts('on', { router: { ...facts('on').router, arms: ['agent:other'] } }))).toThrow(
      expect.objectContaining({ code: 'VT_ROUTER_ARMS' }),
    )
  })
})

describe('a canary that does harm', () => {
  it('is told by what came of its choices, and withdrawn by a record on the default branch that deletes nothing', async () => {
    const trial = `router@${'b'.repeat(12)}`
    const cases = Array.from({ length: 900 }, (_, n): router.LoggedCase => {
      const lane = n % 2 === 0 ? 'challenger' : 'champion'
      const resolved = lane === 'champion'
      const canary = { policy: trial, lane, share: 0.5 } as const
      const step = {
        arm: 'agent:cheap',
        passed: resolved,
        resolved,
        usd: 0.1,
        arms: [],
        propensity: 0.5,
        policy: trial,
        stage: 'canary' as const,
        canary,
      }
      return { ticket: `build_${n}`, phase: 'build', at: at(n), features: {}, steps: [step] }
    })
    const report = router.canaryReport(cases, trial, 0.5, 0.1)
    expect(report).toMatchObject({ verdict: 'roll-back', outcomes: { champion: 450, challenger: 450 } })
    expect(router.canaryReport(cases.slice(0, 30), trial, 0.5, 0.1).verdict).toBe('continue')

    const ids = systemIds(systemClock)
    const version = 'b'.repeat(64)
    const record = promote([], {
      id: ids.ulid(),
      policy: 'router',
      alias: 'challenger',
      run: 'bbbbbbbbbbbb',
      version,
      verdict: 'pass',
    })
    const { dir, env, git } = await makeRepository({ 'a.txt': 'a', [promotionFile(record)]: renderPromotion(record) })
    const repository = await openRepository(dir, env)
    const config = defaultConfig()
    const policy = router.openRouter({ kind: 'thompson', arms: ARMS, features: ['bias'], price: 0.1, settings: {} })
    const challenger = { run: record.run, version, policy }
    const forge = localForge({ repository, config, clock: new SimulatedClock(), ids: countingIds() })
    const watch = { context: { ids }, repository, forge, config, champion: undefined, challenger }
    expect(await withdrawHarmful(watch, { ...report, verdict: 'continue' })).toBeUndefined()
    const withdrawn = await withdrawHarmful(watch, report)
    expect(withdrawn?.left).toEqual({ champion: undefined, challenger: undefined, isTrialOver: true })
    const records = await readPromotions(readerAt(git, 'main'), 'router')
    expect(records.map(({ act, by }) => [act, by])).toEqual([
      ['promotion', undefined],
      ['withdrawal', 'canary'],
    ])
    expect(foldAlias(records, 'router', 'challenger')).toMatchObject({ current: undefined, previous: { id: record.id } })
    expect(await git.text(['status', '--porcelain'])).toBe('')
    expect(await git.text(['log', '--format=%s', 'main'])).toContain('Withdraw router challenger, run bbbbbbbbbbbb')
    const again = promote(records, {
      id: ids.ulid(),
      policy: 'router',
      alias: 'challenger',
      run: 'cccccccccccc',
      version,
      verdict: 'pass',
    })
    expect(foldAlias([...records, again], 'router', 'challenger').current?.run).toBe('cccccccccccc')
  })
})
