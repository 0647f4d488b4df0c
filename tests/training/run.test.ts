import { mkdirSync } from 'node:fs'
import { appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { withLock } from '../../core/lock.ts'
import { decodeCheckpoint, encodeCheckpoint } from '../../training/checkpoint.ts'
import { evaluate, meanScore } from '../../training/evaluate.ts'
import { refusalOf } from '../../training/policy/index.ts'
import { writeRunFolder } from '../../training/run/folder.ts'
import {
  compareRuns,
  diagnosisFile,
  executeRun,
  type Listener,
  lineOf,
  matches,
  mayFollow,
  metricsOfRun,
  openProblem,
  policyOfRun,
  prepareRun,
  RUN_STATES,
  type RunOrder,
  type RunState,
  readRun,
  renderHtml,
  runsIn,
  wasDirty,
  workFolder,
} from '../../training/run/index.ts'
import { jsonl } from '../../training/run/journal.ts'
import { keptRows, rowsWithin } from '../../training/run/thin.ts'
import { bytesOf, emptyFolder, interrupted, orderOf, policiesIn, tiny } from './runs.ts'

async function done(order: RunOrder) {
  const outcome = await executeRun(order)
  if (outcome.state !== 'done') throw new Error(`the run is ${outcome.state}`)
  return outcome
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

describe('a run', () => {
  it('gives the same bytes for the same inputs, and its id is the hash of those', async () => {
    const config = tiny()
    const [a, b] = await Promise.all([orderOf(config), orderOf(config)])
    const [first, second] = [await done(a), await done(b)]
    expect(await bytesOf(a.root, first.folder)).toEqual(await bytesOf(b.root, second.folder))
    // However it was judged, it can be seen what no training at all comes to.
    expect(await policiesIn(a.root, first.folder)).toEqual(['candidate', 'untrained', 'random'])
    const prepared = await prepareRun(config, a, { champion: null, arithmetic: 'exact' })
    expect(first.run).toBe(prepared.id)
    expect(await prepareRun(tiny({ gamma: 0.5 }), a, { champion: null, arithmetic: 'exact' })).not.toMatchObject({
      id: first.run,
    })
    const said = { limits: { minutes: 60 }, checkpointSteps: 7, about: 'Nothing of this moves a byte.' }
    expect(await done({ ...a, config: tiny({}, said) })).toMatchObject({ run: first.run, written: false })
    const c = await orderOf(tiny({}, said))
    expect(await bytesOf(c.root, (await done(c)).folder)).toEqual(await bytesOf(a.root, first.folder))
  })

  it('belongs to the policy it is named for: another name is another run, and both lie beside each other', async () => {
    const order = await orderOf(tiny({ totalSteps: 128 }))
    const first = await done(order)
    const second = await done({ ...order, config: tiny({ totalSteps: 128 }, { name: 'other' }) })
    const [a, b] = [await readRun(runsIn(order.root), first.run), await readRun(runsIn(order.root), second.run)]
    expect([a.manifest.policy, b.manifest.policy]).toEqual(['tiny', 'other'])
    // What was learned is the same, and its version says so.
    expect(b.manifest.version).toBe(a.manifest.version)
    expect((await compareRuns(a, b)).inputs).toEqual([{ key: 'policy', values: ['tiny', 'other'] }])
  })

  it('is dirty when any process that worked on it found changes, until a clean tree has given the same numbers', async () => {
    const order = await orderOf(tiny({ totalSteps: 256 }, { checkpointSteps: 128 }))
    const [clean, dirty] = [order.provenance, { ...order.provenance, dirty: true }]
    const stop = new AbortController()
    const backends = interrupted(order.backends, 2, () => stop.abort())
    const paused = await executeRun({ ...order, provenance: dirty, backends, signal: stop.signal })
    expect(paused).toMatchObject({ state: 'paused' })
    const { run, folder } = await done({ ...order, provenance: clean })
    const stored = async () => readRun(runsIn(order.root), run)
    expect(wasDirty(await stored())).toBe(true)
    expect(refusalOf(await stored())?.code).toBe('VT_PROMOTION_DIRTY')
    const before = await bytesOf(order.root, folder)
    let isTrained = false
    const seen = interrupted(order.backends, 1, () => {
      isTrained = true
    })
    const again = await done({ ...order, backends: seen })
    expect(isTrained).toBe(true)
    expect(again).toMatchObject({ run, written: true, dirty: false })
    expect(await bytesOf(order.root, folder)).toEqual(before)
    expect(refusalOf(await stored())).toBeUndefined()
    expect(await done({ ...order, provenance: dirty })).toMatchObject({ written: false, dirty: false })
  })

  it('tells whoever listens of every state and checkpoint in order, with each finished episode once', async () => {
    const heard: Parameters<Listener>[0][] = []
    const order = await orderOf(tiny({}, { seeds: 2, checkpointSteps: 128 }), { onEvent: (event) => heard.push(event) })
    const { run } = await done(order)
    const words = heard.map((event) => ('state' in event ? event.state : `${event.type} ${event.seed} ${event.steps}`))
    const checkpoints = [1, 2].flatMap((seed) => [128, 256, 384, 512].map((steps) => `checkpoint ${seed} ${steps}`))
    const [before, after] = [
      ['planned', 'provisioning', 'running'],
      ['evaluating', 'gating', 'committing', 'done'],
    ]
    expect(words).toEqual([...(before ?? []), ...checkpoints, ...(after ?? [])])
    const finished = (await metricsOfRun(await readRun(runsIn(order.root), run))).map(({ metrics }) => metrics.episodes ?? 0)
    const told = heard.flatMap((event) => (event.type === 'checkpoint' ? [event.episodes as number] : []))
    expect(sum(told)).toBe(sum(finished))
    expect(sum(told)).toBeGreaterThan(10)
  })

  it('ends with the same bytes wherever it was stopped, and goes on by itself', async () => {
    const config = tiny({}, { seeds: 2, checkpointSteps: 128, evaluation: { episodes: 10, everySteps: 200, keep: 'best' } })
    const whole = await orderOf(config)
    const expected = await bytesOf(whole.root, (await done(whole)).folder)
    for (const at of [1, 3, 6, 11]) {
      const stop = new AbortController()
      const order = await orderOf(config)
      const backends = interrupted(order.backends, at, () => stop.abort())
      expect(await executeRun({ ...order, backends, signal: stop.signal })).toMatchObject({ state: 'paused' })
      const outcome = await done(order)
      expect(await bytesOf(order.root, outcome.folder)).toEqual(expected)
    }
  })

  it('goes on from the last checkpoint when its process died without a word, and cuts off what came after it', async () => {
    const config = tiny({}, { checkpointSteps: 256 })
    const whole = await orderOf(config)
    const { run, folder } = await done(whole)
    const order = await orderOf(config)
    const died = interrupted(order.backends, 5, () => {
      throw new Error('killed')
    })
    await expect(executeRun({ ...order, backends: died })).rejects.toThrow('killed')
    const desk = workFolder(order.stateDir, run)
    const row = JSON.parse((await readFile(join(desk, 'seed-1.jsonl'), 'utf8')).split('\n')[0] as string)
    await appendFile(join(desk, 'seed-1.jsonl'), `${JSON.stringify({ ...row, steps: 999 })}\n{"seed":1,"st`)
    await appendFile(join(desk, 'events.jsonl'), '{"type":"state","st')
    expect(await bytesOf(order.root, (await done(order)).folder)).toEqual(await bytesOf(whole.root, folder))
  })

  it('keeps the policy that did best on the episodes watched, where it is told to', async () => {
    const config = tiny({ learningRate: 0.1 }, { evaluation: { episodes: 30, everySteps: 128, keep: 'best' } })
    const order = await orderOf(config)
    const stored = await readRun(runsIn(order.root), (await done(order)).run)
    const watched = (await metricsOfRun(stored)).flatMap(({ metrics }) => metrics.heldout_return_mean ?? [])
    const { open } = await openProblem(config, order)
    const again = await evaluate(await policyOfRun(stored), { open, episodes: 30, seed: config.evaluation.seed + 1_000_003 })
    expect(meanScore(again)).toBe(Math.max(...watched))
    expect(watched.at(-1)).toBeLessThan(Math.max(...watched))
  })

  it('is written once, and again into a tree that does not have it', async () => {
    const order = await orderOf(tiny())
    const first = await done(order)
    expect(await done(order)).toMatchObject({ run: first.run, written: false })
    await rm(join(order.root, first.folder), { recursive: true })
    expect(await done(order)).toMatchObject({ run: first.run, written: true, verdict: first.verdict })
  })

  it('is refused while another process works on it', async () => {
    const order = await orderOf(tiny())
    const { id } = await prepareRun(order.config, order, { champion: null, arithmetic: 'exact' })
    const lock = join(workFolder(order.stateDir, id), 'lock')
    await withLock(lock, () => expect(executeRun(order)).rejects.toMatchObject({ code: 'VT_RUN_BUSY', kind: 'environment' }), {
      waitMs: 0,
      clock: systemClock,
    })
  })

  it('fails when nothing was learned: the policy has to beat random actions and itself untrained', async () => {
    const config = tiny({ learningRate: 1e-9 }, { evaluation: { episodes: 30 }, rules: [] })
    const { verdict } = await done(await orderOf(config))
    expect(verdict).toMatchObject({ verdict: 'fail', passed: 0 })
    expect(verdict.baselines.find(({ over }) => over === 'untrained')?.verdict).toBe('fail')
  })

  it('is held against the champion, whose version is one of its inputs; being equal is not better', async () => {
    const order = await orderOf(tiny({ totalSteps: 2048 }, { rules: null, evaluation: { episodes: 20 } }))
    const first = await done(order)
    const model = await policyOfRun(await readRun(runsIn(order.root), first.run))
    const champion = { run: first.run, version: first.version, model }
    const second = await done({ ...order, champion })
    expect(second.run).not.toBe(first.run)
    expect(second.verdict.means.champion).toBe(second.verdict.means.candidate)
    expect(second.verdict.rules.find(({ rule }) => rule === 'superiority')?.verdict).toBe('fail')
  })

  it('stops at a checkpoint when its budget is used, says so, and goes on with a larger one', async () => {
    const config = tiny({}, { checkpointSteps: 128, limits: { minutes: 1, usdPerHour: 60 } })
    const order = await orderOf(config)
    let now = 0
    const clock = { ...systemClock, monotonic: () => (now += 20_000) }
    await expect(executeRun({ ...order, clock })).rejects.toMatchObject({
      code: 'VT_RUN_BUDGET',
      message: expect.stringContaining('T406 over budget'),
      hint: 'allow twice the time: `valuetrain train train.yaml --fix`',
    })
    expect(JSON.parse(await readFile(diagnosisFile(order.stateDir, 'tiny'), 'utf8'))).toMatchObject({
      code: 'T406',
      fixes: [{ patch: { 'limits.minutes': 2 } }, { patch: { 'settings.totalSteps': 256 } }],
    })
    expect(
      await executeRun({ ...order, config: { ...config, limits: { minutes: null, usd: null, usdPerHour: 60 } } }),
    ).toMatchObject({ state: 'done' })
  })

  it('goes on as the run that was named, or not at all: what changed since it was begun is named', async () => {
    const config = tiny({}, { checkpointSteps: 128, data: ['table.csv'] })
    const order = await orderOf(config)
    await writeFile(join(order.root, 'table.csv'), 'a\n')
    const stop = new AbortController()
    const backends = interrupted(order.backends, 3, () => stop.abort())
    const { run } = await executeRun({ ...order, backends, signal: stop.signal })
    await writeFile(join(order.root, 'table.csv'), 'b\n')
    await expect(executeRun({ ...order, resumes: run })).rejects.toMatchObject({
      code: 'VT_RUN_INPUTS',
      kind: 'config',
      message: expect.stringMatching(new RegExp(`^run ${run} cannot go on: data.table.csv changed since, and it would be run `)),
    })
    expect(await readdir(join(order.stateDir, 'training'))).toEqual([run])
    await writeFile(join(order.root, 'table.csv'), 'a\n')
    expect(await done({ ...order, resumes: run })).toMatchObject({ run })
  })

  it('keeps what it has when a checkpoint cannot be written', async () => {
    const order = await orderOf(tiny())
    const { id } = await prepareRun(order.config, order, { champion: null, arithmetic: 'exact' })
    const inTheWay = join(workFolder(order.stateDir, id), 'seed-1.safetensors')
    const first = { ...order, backends: interrupted(order.backends, 2, () => mkdirSync(inTheWay)) }
    await expect(executeRun(first)).rejects.toMatchObject({ code: 'VT_CHECKPOINT_WRITE', kind: 'environment' })
    await rm(inTheWay, { recursive: true })
    expect(await executeRun(order)).toMatchObject({ state: 'done' })
  })

  it('refuses a problem whose actions are real numbers, and one that nobody knows', async () => {
    const order = await orderOf(tiny())
    await expect(openProblem({ ...order.config, environment: 'Pendulum-v1' }, order)).rejects.toMatchObject({
      code: 'VT_ENV_ACTIONS',
    })
    await expect(openProblem({ ...order.config, environment: 'CartPol-v1' }, order)).rejects.toThrow(
      'did you mean "CartPole-v1"?',
    )
  })

  it.each([{ hidden: [1_000_000, 1_000_000] }, { rolloutSteps: 2 ** 40, minibatch: 2 ** 40 }])(
    'refuses sizes that no memory holds: %o',
    async (sizes) => {
      const refused = { code: 'VT_BACKEND_MEMORY', kind: 'config', message: expect.stringContaining('T201 out of memory') }
      await expect(executeRun(await orderOf(tiny(sizes)))).rejects.toMatchObject(refused)
    },
  )

  it('that was damaged is refused, and begins anew once it is out of the way', async () => {
    const order = await orderOf(tiny({ totalSteps: 1024 }))
    const stop = new AbortController()
    const backends = interrupted(order.backends, 6, () => stop.abort())
    expect(await executeRun({ ...order, backends, signal: stop.signal })).toMatchObject({ state: 'paused' })
    const [run = ''] = await readdir(join(order.stateDir, 'training'))
    const file = join(workFolder(order.stateDir, run), 'seed-1.safetensors')
    const bytes = await readFile(file)
    const foreign = encodeCheckpoint({ ...decodeCheckpoint(bytes, 'x'), config: 'f'.repeat(64) })
    const damages = [bytes.subarray(0, bytes.length / 2), bytes.with(bytes.length - 1, 255 - (bytes.at(-1) ?? 0)), foreign]
    for (const damaged of damages) {
      await writeFile(file, damaged)
      await expect(executeRun(order)).rejects.toMatchObject({
        code: expect.stringMatching(/^VT_(SAFETENSORS|CHECKPOINT_DAMAGED|CHECKPOINT_FOREIGN)$/),
        kind: 'environment',
        hint: `move ${file} away and train the same again: it begins anew, and comes to the same bytes`,
      })
    }
    await rm(file)
    const whole = await orderOf(tiny({ totalSteps: 1024 }))
    const [again, once] = [await done(order), await done(whole)]
    expect(await bytesOf(order.root, again.folder)).toEqual(await bytesOf(whole.root, once.folder))
  })

  it('whose kept best policy or result was damaged or is gone says so, and comes to the same bytes without its desk', async () => {
    const config = tiny({}, { checkpointSteps: 128, evaluation: { episodes: 10, everySteps: 128, keep: 'best' } })
    const order = await orderOf(config)
    const stop = new AbortController()
    const backends = interrupted(order.backends, 6, () => stop.abort())
    expect(await executeRun({ ...order, backends, signal: stop.signal })).toMatchObject({ state: 'paused' })
    const [run = ''] = await readdir(join(order.stateDir, 'training'))
    const desk = workFolder(order.stateDir, run)
    const best = join(desk, 'seed-1.best.json')
    const kept = await readFile(best, 'utf8')
    for (const damaged of ['{oops', '{}', kept.replace(/"score":/, '"score":1')]) {
      await writeFile(best, damaged)
      await expect(executeRun(order)).rejects.toMatchObject({ code: 'VT_CHECKPOINT_DAMAGED', kind: 'environment' })
    }
    await rm(best)
    await expect(executeRun(order)).rejects.toMatchObject({ code: 'VT_CHECKPOINT_DAMAGED', message: `${best} is gone` })
    await writeFile(best, kept)
    const first = await done(order)
    const bytes = await bytesOf(order.root, first.folder)
    await rm(join(order.root, first.folder), { recursive: true })
    for (const damaged of ['{oops', '{}', undefined]) {
      const file = join(desk, 'result.json')
      await (damaged === undefined ? rm(file) : writeFile(file, damaged))
      await expect(executeRun(order)).rejects.toMatchObject({
        code: 'VT_RUN_ALTERED',
        hint: `move the folder ${desk} away and train the same again; it comes to the same bytes`,
      })
    }
    await rm(desk, { recursive: true })
    expect(await bytesOf(order.root, (await done(order)).folder)).toEqual(bytes)
  })

  it('refuses data files that are not there', async () => {
    const order = await orderOf(tiny({}, { data: ['table.csv'] }))
    await expect(executeRun(order)).rejects.toMatchObject({ code: 'VT_DATA_MISSING' })
    await writeFile(join(order.root, 'table.csv'), 'a\n')
    const given = { champion: null, arithmetic: 'exact' }
    const before = await prepareRun(order.config, order, given)
    await writeFile(join(order.root, 'table.csv'), 'b\n')
    expect((await prepareRun(order.config, order, given)).id).not.toBe(before.id)
  })
})

describe('the folder of a run', () => {
  it.each([
    ['a file that was changed', 'REPORT.md', 'more\n', 'REPORT.md was changed'],
    ['scores that were changed', 'eval.json', ' ', 'eval.json was changed'],
    ['a file that does not belong to it', 'note.txt', 'x', 'note.txt does not belong to it'],
    ['events that are no lines of JSON', 'events.jsonl', '{', 'events.jsonl is not lines of JSON'],
    ['a manifest that is no YAML', 'run.yaml', 'a: [\n', 'run.yaml: '],
    ['a manifest of another kind', 'run.yaml', 'kind: 2\n', 'unknown key "kind"'],
  ])('is refused for %s', async (_, name, content, message) => {
    const order = await orderOf(tiny({ totalSteps: 128 }))
    const { folder, run } = await done(order)
    await appendFile(join(order.root, folder, name), content)
    const refused = { code: 'VT_RUN_ALTERED', kind: 'environment', message: expect.stringContaining(message) }
    await expect(readRun(runsIn(order.root), run)).rejects.toMatchObject(refused)
  })

  it.each([
    ['a dirty tree that is said to be clean', 'events.jsonl', '"dirty":true', '"dirty":false', 'events.jsonl was changed'],
    ['a seal that is gone', 'events.jsonl', /\{"type":"seal".*\n/, '', 'events.jsonl does not end with its seal'],
    ['an event after the seal', 'events.jsonl', /$/, '{"type":"note"}\n', 'events.jsonl does not end with its seal'],
    ['another policy in its manifest', 'run.yaml', 'policy: tiny\nversion', 'policy: other\nversion', 'run.yaml was changed'],
  ])('is refused for %s', async (_, name, from, to, message) => {
    const order = await orderOf(tiny({ totalSteps: 128 }))
    const { folder, run } = await done({ ...order, provenance: { ...order.provenance, dirty: true } })
    const file = join(order.root, folder, name)
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace(from, to))
    expect(await readFile(file, 'utf8')).not.toBe(text)
    await expect(readRun(runsIn(order.root), run)).rejects.toMatchObject({
      code: 'VT_RUN_ALTERED',
      message: expect.stringContaining(message),
    })
    await expect(executeRun(order)).rejects.toMatchObject({ code: 'VT_RUN_ALTERED' })
  })

  it('of before there were seals is read, and promotes nothing', async () => {
    const order = await orderOf(tiny({ totalSteps: 128 }))
    const { folder, run } = await done(order)
    const at = (name: string) => join(order.root, folder, name)
    const edit = async (name: string, from: RegExp, to: string) =>
      writeFile(at(name), (await readFile(at(name), 'utf8')).replace(from, to))
    await edit('run.yaml', /^schema: 2/, 'schema: 1')
    await edit('events.jsonl', /\{"type":"seal".*\n/, '')
    const stored = await readRun(runsIn(order.root), run)
    expect(refusalOf(stored)).toMatchObject({ code: 'VT_PROMOTION_DIRTY', message: expect.stringContaining('has no seal') })
  })

  it('is refused for a manifest whose inputs were changed, and for a missing file', async () => {
    const order = await orderOf(tiny({ totalSteps: 128 }))
    const { folder, run } = await done(order)
    const file = join(order.root, folder, 'run.yaml')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('gamma: 0.99', 'gamma: 0.95'))
    await expect(readRun(runsIn(order.root), run)).rejects.toThrow('does not have the hash of its inputs')
    await writeFile(file, text)
    await rm(join(order.root, folder, 'model.json'))
    await expect(readRun(runsIn(order.root), run)).rejects.toThrow('model.json is missing')
  })

  it('is never overwritten by a run that came out differently', async () => {
    const root = await emptyFolder()
    const inputs = { engine: 1 }
    const { runHash } = await import('../../training/run/index.ts')
    const hash = runHash(inputs as never)
    const manifest = {
      run: hash.slice(0, 12),
      hash,
      policy: 'a',
      version: hash,
      policySeed: 1,
      inputs,
      metrics: { measured: 0, kept: 0 },
    }
    await writeRunFolder(root, manifest, new Map([['eval.json', 'a']]), [])
    await expect(writeRunFolder(root, manifest, new Map([['eval.json', 'b']]), [])).rejects.toMatchObject({
      code: 'VT_RUN_NOT_REPRODUCED',
      details: { files: ['eval.json'] },
    })
  })
})

describe('runs beside each other', () => {
  it('are compared by their inputs and their paired scores, found by conditions, and shown on a page without a network', async () => {
    const order = await orderOf(tiny())
    const other = { ...order, config: tiny({ gamma: 0.9 }) }
    const [a, b] = [await done(order), await done(other)]
    const source = runsIn(order.root)
    const [first, second] = [await readRun(source, a.run), await readRun(source, b.run)]
    const comparison = await compareRuns(first, second)
    expect(comparison.inputs).toEqual([{ key: 'settings.gamma', values: [0.99, 0.9] }])
    expect(comparison.difference?.cases).toBe(10)
    expect(matches(first, ['ppo', 'settings.gamma=0.99', 'candidate>=1'])).toBe(true)
    expect(matches(second, ['settings.gamma>0.95'])).toBe(false)
    expect(() => matches(first, ['candidate>=much'])).toThrow('"much", which is no number')
    const html = renderHtml([{ line: lineOf(first), verdict: first.verdict, rows: await metricsOfRun(first) }])
    expect(html).toContain('<polyline')
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|src=/)
  })

  it('keep their extremes and their ends when points are thinned', () => {
    const rows = Array.from({ length: 5_000 }, (_, n) => ({
      seed: 1,
      steps: n,
      metrics: { loss: n === 1_234 ? -7 : n === 4_321 ? 9 : 0 },
    }))
    const kept = keptRows(rows, 100)
    expect(kept.length).toBeLessThanOrEqual(102)
    expect(kept.map(({ steps }) => steps)).toEqual(expect.arrayContaining([0, 1_234, 4_321, 4_999]))
    expect(keptRows(rows.slice(0, 50), 100)).toEqual(rows.slice(0, 50))
  })

  it('keeps its measurements to what plain git should carry, the same share of every learner', () => {
    const rows = [1, 2, 3].flatMap((seed) =>
      Array.from({ length: 4_000 }, (_, n) => ({ seed, steps: n, metrics: { loss: n === 99 ? -7 : 0.123456789 } })),
    )
    const kept = rowsWithin(rows, 100_000)
    expect(Buffer.byteLength(jsonl(kept))).toBeLessThanOrEqual(100_000)
    expect(Buffer.byteLength(jsonl(kept))).toBeGreaterThan(80_000)
    const each = [1, 2, 3].map((seed) => kept.filter((row) => row.seed === seed).map(({ steps }) => steps))
    expect(each[1]).toEqual(each[0])
    expect(each[2]).toEqual(expect.arrayContaining([0, 99, 3_999]))
  })
})

describe('the states of a run', () => {
  it('lead to done from everywhere but done and the end of a cancelled one is its own choice', () => {
    fc.assert(
      fc.property(fc.constantFrom(...RUN_STATES), (state) => {
        const reached = new Set<RunState>([state])
        for (const from of reached) for (const to of RUN_STATES) if (mayFollow(from, to)) reached.add(to)
        expect(reached.has('done')).toBe(true)
      }),
    )
    expect(RUN_STATES.filter((to) => mayFollow('done', to))).toEqual([])
    expect(mayFollow('running', 'committing')).toBe(false)
  })
})
