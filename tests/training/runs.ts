import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { sha256 } from '../../core/canonical.ts'
import { systemClock } from '../../core/clock.ts'
import type { Backend } from '../../training/backend/backend.ts'
import { type Backends, checkTrainConfig, chooseBackends, type RunOrder, type TrainConfig } from '../../training/run/index.ts'

/** A configuration that trains for a moment. */
export function tiny(settings: Record<string, unknown> = {}, more: Record<string, unknown> = {}): TrainConfig {
  return checkTrainConfig(
    {
      name: 'tiny',
      algorithm: 'ppo',
      environment: 'CartPole-v1',
      evaluation: { episodes: 10 },
      rules: [{ rule: 'threshold', at: 5 }],
      ...more,
      settings: {
        totalSteps: 512,
        environments: 4,
        rolloutSteps: 32,
        minibatch: 128,
        epochs: 2,
        hidden: [8],
        learningRate: 0.01,
        ...settings,
      },
    },
    'train.yaml',
  )
}

/** Returns a folder that goes with the test. */
export async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vt-run-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Returns an order in folders of its own, unless told. */
export async function orderOf(config: TrainConfig, more: Partial<RunOrder> = {}): Promise<RunOrder> {
  const root = more.root ?? (await emptyFolder())
  return {
    config,
    root,
    env: {},
    stateDir: join(root, '.git-state'),
    backends: await chooseBackends('auto', config, []),
    champion: undefined,
    provenance: { commit: null, dirty: false, source: 'train.yaml' },
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...more,
  }
}

/** Returns backends that call `then` before gradient step number `at`, counted over all of them. */
export function interrupted(backends: Backends, at: number, then: () => void): Backends {
  let steps = 0
  return {
    ...backends,
    async open(): Promise<Backend> {
      const backend = await backends.open()
      return {
        ...backend,
        adam(...args) {
          steps += 1
          if (steps === at) then()
          backend.adam(...args)
        },
      }
    },
  }
}

/** Returns the digests of the files of a run that its hash covers. */
export async function bytesOf(root: string, folder: string): Promise<Record<string, string>> {
  const names = ['run.yaml', 'metrics.jsonl', 'eval.json', 'verdict.json', 'REPORT.md', 'model.json', 'policy.safetensors']
  const contents = await Promise.all(names.map(async (name) => [name, sha256(await readFile(join(root, folder, name)))]))
  return Object.fromEntries(contents)
}

/** Returns the policies that a report's table of scores names, in its order; a policy without a score is none. */
export async function policiesIn(root: string, folder: string): Promise<string[]> {
  const report = await readFile(join(root, folder, 'REPORT.md'), 'utf8')
  return [...report.matchAll(/^\| (candidate|champion|untrained|random) \| -?\d[\d.]* \|$/gm)].map(([, name]) => name as string)
}
