import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chooseRuntime } from '../../agents/index.ts'
import { choosingTraining } from '../../bin/train-choice.ts'
import { operate } from '../../conductor/operate.ts'
import { runIssue } from '../../conductor/run.ts'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { readerAt } from '../../core/reader.ts'
import { foldAlias, readPromotions } from '../../training/policy/index.ts'
import { listRuns, readRun, runsAt } from '../../training/run/index.ts'
import { issueFile, makeLine } from '../conductor/line.ts'
import { ROOT } from '../support/sources.ts'

/** The phases of the built-in pipeline that train, exactly as it has them. */
async function mlPhases(names: readonly string[]): Promise<string> {
  const text = await readFile(join(ROOT, 'modes/pipelines/ml.yaml'), 'utf8')
  const [head = '', ...phases] = text.split(/^ {2}- /m)
  const kept = phases.filter((phase) => names.includes(/^name: (\S+)/.exec(phase)?.[1] ?? ''))
  return head + kept.map((phase) => `  - ${phase.replace(/^ {4}next: .*\n/m, '')}`).join('')
}

const CONFIG = `version: 1
pipeline: ml
training: { config: train.yaml, approval: [plan, promotion] }
`

const TRAIN = `name: cart-pole
algorithm: ppo
environment: CartPole-v1
evaluation: { episodes: 30 }
rules: [{ rule: threshold, at: 150 }]
settings:
  totalSteps: 1024
  environments: 8
  rolloutSteps: 64
  minibatch: 256
  hidden: [32, 32]
  learningRate: 0.002
  gamma: 0.98
  lambda: 0.8
retries:
  - { totalSteps: 30720 }
`

describe('the ml pipeline', () => {
  it('asks before it spends, trains, is rejected, trains again, validates, waits for a person and promotes, all in commits', async () => {
    const clock = systemClock
    const line = await makeLine({
      '.valuetrain/config.yaml': CONFIG,
      '.valuetrain/pipelines/ml.yaml': await mlPhases(['training', 'validation', 'evaluation', 'improvement', 'retraining']),
      'train.yaml': TRAIN,
      ...issueFile(1, 'Balance the pole', ['auto']),
    })
    const choose = await choosingTraining(chooseRuntime, { env: line.env, clock, ids: systemIds(clock) })
    const work = () => runIssue({ ...line.ports, choose }, { issue: 1, merge: 'auto' })
    const championOnMain = async () => {
      const reader = readerAt(line.git, await line.git.text(['rev-parse', 'main']))
      return foldAlias(await readPromotions(reader, 'cart-pole'), 'cart-pole', 'champion').current
    }
    const approve = () => operate(line.ports, 1, { type: 'approve', channel: 'terminal' }, { name: 'Ada' })
    // Each attempt is another run with another price; that the first was approved says nothing about the second.
    for (const steps of [1_024, 30_720]) {
      const asked = `; ${steps} steps, about \\d+(\\.\\d)? seconds, \\$0\\.0000; its 30 cases can tell 0\\.51 standard deviations .*judged by threshold`
      const question = expect.stringMatching(`^Train run [0-9a-f]{12} of cart-pole\\? ppo on CartPole-v1, one learner${asked}`)
      expect(await work()).toMatchObject({ outcome: 'waiting', ticket: 'training_1', reasons: [question] })
      await approve()
    }
    const waiting = { outcome: 'waiting', ticket: 'validation_1', reasons: [expect.stringContaining('training-approval')] }
    expect(await work()).toMatchObject(waiting)
    expect(line.written.findLast(({ entry }) => entry.type === 'WAITING_BEGUN')?.entry.data).toMatchObject({ reason: 'approval' })
    // Asking again is no answer.
    expect(await work()).toMatchObject({ outcome: 'waiting' })
    expect(await championOnMain()).toBeUndefined()
    await approve()
    expect(await work()).toMatchObject({ outcome: 'done' })

    const judged = line.written.flatMap(({ ticket, entry }) =>
      entry.type === 'GATE_JUDGED' && entry.data?.result.gate === 'training-verdict'
        ? [[ticket, entry.data.attempt, entry.data.result.verdict]]
        : [],
    )
    expect(judged).toContainEqual(['training_1', 1, 'fail'])
    expect(judged).toContainEqual(['training_1', 2, 'pass'])
    expect(judged).toContainEqual(['validation_1', 1, 'pass'])

    const head = await line.git.text(['rev-parse', 'main'])
    const runs = runsAt(line.git, head)
    const stored = await Promise.all((await listRuns(runs)).map((id) => readRun(runs, id)))
    expect(stored.map(({ verdict }) => verdict.verdict).toSorted()).toEqual(['fail', 'pass'])
    const passed = stored.find(({ verdict }) => verdict.verdict === 'pass')
    const states = stored.map(({ events }) => events.flatMap(({ state }) => (state === undefined ? [] : [state])))
    const way = ['planned', 'waiting-approval', 'provisioning', 'running', 'evaluating', 'gating', 'committing', 'done']
    expect(states).toEqual([way, way])
    expect(await championOnMain()).toMatchObject({
      run: passed?.id,
      by: 'validation_1',
      verdict: 'pass',
      version: passed?.manifest.version,
    })

    const trailers = await line.git.text([
      'log',
      '--format=%(trailers:key=Valuetrain-Run,valueonly)%(trailers:key=Valuetrain-Verdict,valueonly)',
      'main',
    ])
    expect(trailers.split('\n').filter((word) => word !== '')).toEqual(
      expect.arrayContaining([passed?.id, 'pass', stored.find(({ verdict }) => verdict.verdict === 'fail')?.id, 'fail']),
    )
    const plan = await readerAt(line.git, head).read('.valuetrain/tickets/retraining_1/artifacts/retraining-plan.md')
    expect(plan).toContain(`run ${passed?.id}`)
  }, 120_000)
})
