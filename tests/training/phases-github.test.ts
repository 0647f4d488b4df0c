import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chooseRuntime } from '../../agents/index.ts'
import { choosingTraining } from '../../bin/train-choice.ts'
import { drive } from '../../conductor/drive.ts'
import { runIssue } from '../../conductor/run.ts'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { readerAt } from '../../core/reader.ts'
import { foldAlias, readPromotions } from '../../training/policy/index.ts'
import { listRuns, readRun, runsAt } from '../../training/run/index.ts'
import { standLine } from '../conductor/stand-line.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { ROOT } from '../support/sources.ts'

const TRAIN = `name: cart-pole
algorithm: ppo
environment: CartPole-v1
evaluation: { episodes: 30 }
rules: [{ rule: threshold, at: 150 }]
settings: { totalSteps: 1024, environments: 8, rolloutSteps: 64, minibatch: 256, hidden: [32, 32], learningRate: 0.002, gamma: 0.98, lambda: 0.8 }
retries: [{ totalSteps: 30720 }]
`

const CONFIG = `version: 1
forge: github
remote: origin
github: { writeEveryMs: 0 }
pipeline: ml
training: { config: train.yaml }
`

let stand: Stand

ownStand((opened) => {
  stand = opened
})

/** The phases of the built-in pipeline that train and validate, exactly as it has them. */
async function pipeline(): Promise<string> {
  const text = await readFile(join(ROOT, 'modes/pipelines/ml.yaml'), 'utf8')
  const [head = '', ...phases] = text.split(/^ {2}- /m)
  return (
    head +
    phases
      .filter((phase) => /^name: (training|validation)$/m.test(phase))
      .map((phase) => `  - ${phase.replace(/^ {4}next: .*\n/m, '')}`)
      .join('')
  )
}

describe.runIf(process.env.VALUETRAIN_FULL !== undefined)('a run on a forge', () => {
  it('is a change whose statuses show the verdict, with runs, report and record on its branch', async () => {
    const choose = await choosingTraining(chooseRuntime, { env: process.env, clock: systemClock, ids: systemIds(systemClock) })
    const files = { 'train.yaml': TRAIN, '.valuetrain/pipelines/ml.yaml': await pipeline() }
    const line = await standLine(stand, 'ml', files, CONFIG, { choose })
    const issue = await line.issue('Balance the pole', ['auto'])
    const deliver = async (phase: string) => {
      expect(await runIssue(line.ports, { issue, merge: 'person' })).toMatchObject({
        outcome: 'waiting',
        ticket: `${phase}_${issue}`,
      })
      const pull = (await line.pulls()).at(-1)
      const head = (await line.at.head(`phase/${phase}_${issue}`)) as string
      const runs = runsAt(line.at.git, head)
      const stored = await Promise.all((await listRuns(runs)).map((id) => readRun(runs, id)))
      const statuses = (commit: string) =>
        line.at
          .statuses(commit)
          .flatMap((one) => (one.context === 'valuetrain/training-verdict' ? [`${one.state}: ${one.description}`] : []))
      return { pull, head, stored, statuses }
    }
    const merge = ({ number }: { number: number }, sha: string) =>
      stand.as('owner')('PUT', `/repos/${line.at.fullName}/pulls/${number}/merge`, { sha })

    const trained = await deliver('training')
    const [rejected, passed] = ['fail', 'pass'].map((word) => trained.stored.find(({ verdict }) => verdict.verdict === word))
    expect(trained.statuses(trained.head)).toEqual([
      expect.stringMatching(/^success: mean \d+(\.\d+)?, lower bound \d+(\.\d+)?, at least 150; /),
    ])
    const log = await line.at.git.text([
      'log',
      '--format=%H %(trailers:key=Valuetrain-Run,valueonly,separator=%x20) %(trailers:key=Valuetrain-Verdict,valueonly,separator=%x20)',
      trained.head,
    ])
    const commits = log
      .trim()
      .split('\n')
      .map((row) => row.trim().split(/ +/))
    const committed = commits.filter((row) => row.length === 3).map((row) => row.slice(1))
    expect(committed).toEqual([
      [passed?.id, 'pass'],
      [rejected?.id, 'fail'],
    ])
    const shown = commits.flatMap(([commit = '']) => trained.statuses(commit))
    expect(shown.at(-1)).toMatch(/^failure: mean [\d.]+, lower bound [\d.]+, below 150$/)
    expect(trained.pull.body).toMatch(/\| training-verdict \| pass \| mean .*at least 150/)
    await merge(trained.pull, trained.head)

    const validated = await deliver('validation')
    expect(validated.statuses(validated.head)).toEqual([expect.stringMatching(/^success: mean /)])
    const championAt = async (commit: string) => {
      const records = await readPromotions(readerAt(line.at.git, commit), 'cart-pole')
      return foldAlias(records, 'cart-pole', 'champion').current?.run
    }
    // The record lies on the branch, and is in use only once that is merged.
    expect([await championAt('main'), await championAt(validated.head)]).toEqual([undefined, passed?.id])
    await merge(validated.pull, validated.head)
    expect(await championAt('main')).toBe(passed?.id)
    expect(await drive(line.ports, { once: true, merge: 'person' })).toMatchObject({ issues: [{ issue, outcome: 'done' }] })
  }, 600_000)
})
