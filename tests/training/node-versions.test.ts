import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { sha256 } from '../../core/canonical.ts'
import { makeRepository } from '../support/repository.ts'
import { ROOT } from '../support/sources.ts'

const run = promisify(execFile)

const NETWORK = (algorithm: string, settings: string) => `name: ${algorithm}
algorithm: ${algorithm}
environment: CartPole-v1
evaluation: { episodes: 10 }
rules: [{ rule: threshold, at: 5 }]
settings: { totalSteps: 1024, hidden: [16], ${settings} }
`
const ROUTER = (algorithm: string) => `name: ${algorithm}
algorithm: ${algorithm}
environment: { outcomes: { table: outcomes.csv, price: 0.1 } }
`
const TRAINED = {
  'ppo.yaml': NETWORK('ppo', 'environments: 4, rolloutSteps: 32, minibatch: 128, epochs: 2, learningRate: 0.01'),
  'dqn.yaml': NETWORK('dqn', 'environments: 2, bufferSize: 900, learningStarts: 200, gradientSteps: 16, targetEvery: 100'),
  'reinforce.yaml': NETWORK('reinforce', 'environments: 4'),
  'thompson.yaml': ROUTER('thompson'),
  'linucb.yaml': ROUTER('linucb'),
  'lints.yaml': ROUTER('lints'),
  'logistic.yaml': ROUTER('logistic'),
  'cascade.yaml': ROUTER('cascade'),
}
const SWEEP = `config: ppo.yaml
method: tpe
parallel: 2
trials: 6
space: { learningRate: { kind: real, low: 0.001, high: 0.1, log: true }, activation: { kind: choice, values: [tanh, relu] } }
halving: { least: 256, most: 1024, keep: 2 }
`

/** Returns the digests of everything that a version of Node makes of these files, but for the times. */
async function madeBy(node: readonly string[], from: string, env: NodeJS.ProcessEnv): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'vt-node-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  await cp(from, folder, { recursive: true })
  const [program = '', ...args] = node
  const valuetrain = async (...words: string[]) => {
    const options = { cwd: folder, env, maxBuffer: 1e8 }
    // A run that was rejected is as much of a result as one that passed.
    const { stdout } = await run(program, [...args, join(ROOT, 'bin/valuetrain.js'), ...words, '--json'], options).catch(
      (error) => {
        if (error.code === 1) return error as { stdout: string }
        throw error
      },
    )
    return stdout
  }
  for (const file of Object.keys(TRAINED)) await valuetrain('train', file)
  const made: Record<string, string> = { sweep: sha256(await valuetrain('sweep', 'sweep.yaml')) }
  const runs = join(folder, '.valuetrain/training')
  for (const id of await readdir(runs)) {
    for (const name of await readdir(join(runs, id))) {
      if (name !== 'events.jsonl') made[`${id}/${name}`] = sha256(await readFile(join(runs, id, name)))
    }
  }
  return made
}

describe.runIf(process.env.VALUETRAIN_FULL === '1')('whole runs of every algorithm, and a sweep', () => {
  it('come out the same on Node 20, 22 and 24', async () => {
    const repository = await makeRepository({ ...TRAINED, 'sweep.yaml': SWEEP })
    await cp(join(ROOT, 'examples/router/scripts'), join(repository.dir, 'scripts'), { recursive: true })
    await run(process.execPath, [join(repository.dir, 'scripts/outcomes.mjs')], { cwd: repository.dir })
    const due = await madeBy([process.execPath], repository.dir, repository.env)
    expect(Object.keys(due).length).toBeGreaterThan(50)
    for (const version of ['20', '22', '24']) {
      const node = ['npx', '-y', '-p', `node@${version}`, 'node']
      expect((await run('npx', [...node.slice(1), '--version'])).stdout).toMatch(new RegExp(`^v${version}\\.`))
      expect(await madeBy(node, repository.dir, { ...process.env, ...repository.env })).toEqual(due)
    }
  }, 900_000)
})
