/**
 * Runs a benchmark and prints its rows.
 *
 *   npm run bench -- <name> [--full] [--json] [--seed N] [--table FILE.csv] [--digits FILE.csv.gz]
 *
 * A table for people; with `--json` one object a row: name, value, unit, floor or peer, ratio, rounds, and the samples.
 */
import { cpus } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Benchmark, Row } from './measure.ts'

const BENCHES: Readonly<Record<string, { measure: string; about: string; load(): Promise<{ default: Benchmark }> }>> = {
  'start-up': {
    measure: 'L1',
    about: 'cold start of the command line, against bare node',
    load: () => import('./start-up.ts'),
  },
  'commit-hooks': {
    measure: 'H1, H2, H3',
    about: 'a commit with hooks, against none, an empty sh hook, husky, lefthook, prek and lint-staged',
    load: () => import('./commit-hooks.ts'),
  },
  'many-tickets': {
    measure: 'L2',
    about: 'status and check with thousands of finished tickets, against bare node',
    load: () => import('./many-tickets.ts'),
  },
  'session-log': {
    measure: 'S1',
    about: 'verifying and loading a session of 10,000 events, against parsing and hashing its lines',
    load: () => import('./session-log.ts'),
  },
  'worktree-starts': {
    measure: 'A1',
    about: 'fifty simultaneous starts with the scripted runtime, against plain git worktree add and sandcastle',
    load: () => import('./worktree-starts.ts'),
  },
  'label-to-agent': {
    measure: 'A2',
    about: 'from the delivery of a label to the agent’s process with 1,000 files, against plain git and sandcastle',
    load: () => import('./label-to-agent.ts'),
  },
  'idle-requests': {
    measure: 'A3',
    about: 'requests an hour, counted against the limit, with pull requests that wait for review',
    load: () => import('./idle-requests.ts'),
  },
  routine: {
    measure: 'A7',
    about: 'forty routine tasks with planned failures, worked unattended: solved, blocked rightly, blocked wrongly, wrongly done',
    load: () => import('./routine.ts'),
  },
  'training-throughput': {
    measure: 'G2',
    about: 'whole PPO minibatches with our kernels, against plain JavaScript and TensorFlow.js',
    load: () => import('./training-throughput.ts'),
  },
  'training/cartpole': {
    measure: 'G1 to G4',
    about: 'PPO until CartPole is solved, ten seeds, the fast preset and the plain JavaScript engine; DQN with --full',
    load: async () => ({ default: (await import('./training-solve.ts')).cartPoleBench }),
  },
  'training/acrobot': {
    measure: 'G2, G4',
    about: 'PPO on Acrobot, five seeds: steps a CPU second, steps to -85, score; 1M steps and DQN with --full',
    load: async () => ({ default: (await import('./training-solve.ts')).acrobotBench }),
  },
  'training/mountaincar': {
    measure: 'G4',
    about: 'PPO with normalisation on MountainCar, five seeds; 1M steps and DQN with --full',
    load: async () => ({ default: (await import('./training-solve.ts')).mountainCarBench }),
  },
  'training/serve': {
    measure: 'G21',
    about: 'a policy server at 2,000 requests a second, rolled back in the middle',
    load: () => import('./training-serve.ts'),
  },
  'training/pendulum': {
    measure: 'G4',
    about: 'DQN on Pendulum with its torque in five steps, five seeds',
    load: async () => ({ default: (await import('./training-solve.ts')).pendulumBench }),
  },
  'training/routing': {
    measure: 'G8, G9, G10',
    about: 'routers and cascades over an outcome table (--table FILE.csv, else generated ones), against the best fixed arm',
    load: () => import('./training-routing.ts'),
  },
}

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    table: { type: 'string' },
    digits: { type: 'string' },
  },
  allowPositionals: true,
})
const [name = ''] = positionals
const entry = BENCHES[name]

if (entry === undefined) {
  console.error(
    name === ''
      ? 'Usage: npm run bench -- <name> [--full] [--json] [--seed N] [--table FILE.csv] [--digits FILE.csv.gz]'
      : `no benchmark "${name}"`,
  )
  for (const [known, { measure, about }] of Object.entries(BENCHES)) console.error(`  ${known.padEnd(20)} ${measure}  ${about}`)
  process.exitCode = name === '' ? 0 : 2
} else {
  const { default: run } = await entry.load()
  const rows = await run({
    full: values.full,
    seed: Number(values.seed),
    env: childEnvironment(process.env),
    ...(values.table === undefined ? {} : { table: values.table }),
    ...(values.digits === undefined ? {} : { digits: values.digits }),
    root: fileURLToPath(new URL('..', import.meta.url)),
    note: (text) => {
      if (!values.json) console.log(text)
    },
  })
  if (values.json) for (const row of rows) console.log(JSON.stringify(row))
  else printTable(entry.measure, rows)
}

/** Extra certificates alone cost every Node 20 process 40 ms, and an inspector or a loader costs more. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _certificates, NODE_OPTIONS: _options, ...rest } = env
  return rest
}

function printTable(measure: string, rows: readonly Row[]): void {
  console.log(`\n${measure} on Node ${process.versions.node}, ${process.platform} ${process.arch}, ${cpus().length} cores\n`)
  const head = ['name', 'median', 'min to max', 'against', 'ratio', 'rounds']
  const cells = rows.map(({ name, value, unit, floor, peer, goal, ratio, rounds, min, max }) => [
    name,
    `${value} ${unit}`,
    min === undefined || max === undefined ? '' : `${min} to ${max}`,
    floor !== undefined ? `floor ${floor}` : peer !== undefined ? `peer ${peer}` : goal !== undefined ? `goal ${goal}` : '',
    ratio === undefined ? '' : ratio.toFixed(2),
    String(rounds),
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...cells.map((row) => (row[column] ?? '').length)))
  for (const row of [head, ...cells])
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}
