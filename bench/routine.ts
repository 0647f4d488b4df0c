/**
 * Routine work, unattended: 40 tasks whose agent fails as planned (wrong at first, untidy, a secret left in, a crash, a
 * hang, a usage limit, a commit of its own, a file that others edit, too) and five that must not be done (always wrong,
 * a changed specification, an empty change). The seed draws who gets what.
 *
 * The judge of the result is not the orchestrator: after the drive each merged task is run against the factor that only
 * this script knows. `--full` runs three seeds.
 */
import { execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { openGit } from '../core/git.ts'
import { type Bench, type Benchmark, type Row, randomFrom } from './measure.ts'

/** How often each plan is drawn; a plan is what the agent does at its first, second and third attempt. */
const PLANS: readonly { times: number; plan: readonly string[]; solvable: boolean }[] = [
  { times: 13, plan: ['right'], solvable: true },
  { times: 5, plan: ['wrong', 'right'], solvable: true },
  { times: 2, plan: ['wrong', 'wrong', 'right'], solvable: true },
  { times: 3, plan: ['untidy', 'right'], solvable: true },
  { times: 2, plan: ['crash', 'right'], solvable: true },
  { times: 2, plan: ['hang', 'right'], solvable: true },
  { times: 2, plan: ['lies', 'right'], solvable: true },
  { times: 1, plan: ['secret', 'right'], solvable: true },
  { times: 1, plan: ['commits', 'right'], solvable: true },
  { times: 1, plan: ['limit'], solvable: true },
  { times: 3, plan: ['shared'], solvable: true },
  { times: 2, plan: ['wrong'], solvable: false },
  { times: 1, plan: ['crash'], solvable: false },
  { times: 1, plan: ['cheat'], solvable: false },
  { times: 1, plan: ['nothing'], solvable: false },
]

interface Task {
  number: number
  /** What the function must multiply by; the agent is told, the specification in the repository says so, too. */
  factor: number
  plan: readonly string[]
  solvable: boolean
}

interface Result extends Task {
  outcome: string
  /** Whether the default branch has what was asked for; undefined when it has nothing of it. */
  isRight: boolean | undefined
}

const bench: Benchmark = async (given) => {
  const seeds = given.full ? [given.seed, given.seed + 1, given.seed + 2] : [given.seed]
  const results: Result[] = []
  const spent: number[] = []
  for (const seed of seeds) {
    const started = process.hrtime.bigint()
    results.push(...(await runTasks({ ...given, seed })))
    spent.push(Number(process.hrtime.bigint() - started) / 1e9)
  }
  for (const { number, plan, outcome, isRight } of results.filter(isOdd)) {
    given.note(
      `  #${number} (${plan.join(', ')}): ${outcome}, ${isRight === undefined ? 'not merged' : isRight ? 'right' : 'wrong'}`,
    )
  }
  const count = (is: (result: Result) => boolean) => results.filter(is).length
  const solved = count(({ isRight }) => isRight === true)
  const [low, high] = wilson(solved, results.length)
  const share = (value: number): Row => ({ name: '', value, unit: 'tasks', rounds: seeds.length })
  return [
    { ...share(results.length), name: 'tasks' },
    { ...share(solved), name: 'solved unattended' },
    { ...share(round(solved / results.length)), name: 'share of them', unit: 'of all', min: round(low), max: round(high) },
    { ...share(count(({ solvable }) => solvable)), name: 'solvable by plan' },
    { ...share(count((result) => !result.solvable && result.isRight === undefined)), name: 'blocked rightly' },
    { ...share(count((result) => result.solvable && result.isRight === undefined)), name: 'blocked wrongly' },
    { ...share(count(({ isRight }) => isRight === false)), name: 'wrongly done' },
    { name: 'a task, drive and all', value: round(sum(spent) / results.length), unit: 's wall', rounds: seeds.length },
  ]
}
export default bench

/** What a reader wants to see by name: everything that did not end as its plan says it should. */
function isOdd({ solvable, isRight }: Result): boolean {
  return isRight === false || solvable !== (isRight === true)
}

async function runTasks({ env, root, seed, note }: Bench): Promise<Result[]> {
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-routine-')))
  try {
    const tasks = drawTasks(seed)
    const quiet = { ...env, HOME: outside, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
    const dir = join(outside, 'repo')
    await makeRepository(dir, tasks, quiet)
    note(`seed ${seed}: ${tasks.length} tasks, two at a time`)
    const outcomes = new Map<number, string>()
    // A second and third call are what a schedule does: whoever waited for a reset time may go on.
    for (let call = 0; call < 3; call++) for (const [issue, outcome] of driveOnce(root, dir, quiet)) outcomes.set(issue, outcome)
    return await Promise.all(
      tasks.map(async (task) => ({
        ...task,
        outcome: outcomes.get(task.number) ?? 'never begun',
        isRight: await isRight(dir, task),
      })),
    )
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}

function drawTasks(seed: number): Task[] {
  const random = randomFrom(seed)
  const plans = PLANS.flatMap(({ times, plan, solvable }) => Array.from({ length: times }, () => ({ plan, solvable })))
  for (let at = plans.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    ;[plans[at], plans[other]] = [plans[other] as (typeof plans)[0], plans[at] as (typeof plans)[0]]
  }
  return plans.map((plan, at) => ({ ...plan, number: at + 1, factor: 2 + Math.floor(random() * 97) }))
}

async function makeRepository(dir: string, tasks: readonly Task[], env: NodeJS.ProcessEnv): Promise<void> {
  const files: Record<string, string> = {
    'package.json': '{ "name": "scales", "version": "1.0.0", "type": "module" }\n',
    'src/index.js': '// One line a scale that others use.\n',
    'test/scales.test.js': TEST,
    'tools/lint.mjs': LINT,
    'tools/plan.json': JSON.stringify(
      Object.fromEntries(tasks.map(({ number, factor, plan }) => [number, { factor, plan, limited: Date.now() + 60_000 }])),
    ),
    '.valuetrain/config.yaml': CONFIG,
  }
  for (const { number, factor } of tasks) {
    files[`spec/${number}.json`] = JSON.stringify({ factor })
    files[`.valuetrain/issues/${number}-scale.md`] =
      `---\ntitle: Scale by ${factor}\nlabels: [auto]\ncreated: 2026-01-01\n---\n\nAdd \`src/scale-${number}.js\` with a function \`scale\` that multiplies by ${factor}.\n`
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(dir, path, '..'), { recursive: true })
    await writeFile(join(dir, path), text)
  }
  await cp(fileURLToPath(new URL('./routine-agent.mjs', import.meta.url)), join(dir, 'tools', 'agent.mjs'))
  const git = openGit(dir, env)
  await git.run(['init', '--quiet', '--initial-branch=main'])
  await git.run(['config', 'user.name', 'Bench'])
  await git.run(['config', 'user.email', 'bench@example.com'])
  await git.run(['add', '--all'])
  await git.run(['commit', '--quiet', '--message', 'Begin'])
}

function driveOnce(root: string, dir: string, env: NodeJS.ProcessEnv): [number, string][] {
  const argv = [join(root, 'bin', 'valuetrain.js'), 'drive', '--once', '--parallel', '2', '--merge', 'auto', '--json']
  let printed: string
  try {
    printed = execFileSync(process.execPath, argv, {
      cwd: dir,
      env,
      encoding: 'utf8',
      maxBuffer: 1e9,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    // Blocked tickets end it with 1; anything else has no last line and is told below.
    printed = (error as { stdout?: string }).stdout ?? ''
  }
  const last = printed.trimEnd().split('\n').at(-1) ?? ''
  const end = last.startsWith('{') ? JSON.parse(last) : {}
  if (end.type !== 'RUN_ENDED') throw new Error(`the drive ended without a last word: ${last.slice(0, 300)}`)
  return end.issues.map(({ issue, outcome }: { issue: number; outcome: string }) => [issue, outcome])
}

/** Runs what is on the default branch; undefined when nothing of the task is there. */
async function isRight(dir: string, { number, factor }: Task): Promise<boolean | undefined> {
  const file = join(dir, 'src', `scale-${number}.js`)
  const found = await import(pathToFileURL(file).href).catch((error) => {
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  return found && [0, 1, -3, 0.5].every((x) => found.scale(x) === x * factor) && !('token' in found)
}

/** Returns the 95 % interval of a share by Wilson's score. */
function wilson(hits: number, of: number): [number, number] {
  const z = 1.959964
  const share = hits / of
  const middle = share + (z * z) / (2 * of)
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of))
  return [(middle - spread) / (1 + (z * z) / of), (middle + spread) / (1 + (z * z) / of)]
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}

const CONFIG = `agent: worker
agents:
  worker:
    command: [node, tools/agent.mjs]
    dialect: events
commands:
  lint: [node, tools/lint.mjs]
  test: [node, --test]
protected: ['.valuetrain/config.yaml', 'spec/**', 'test/**', 'tools/**']
drive: { pauseAfterFailures: 40, pollMs: 500 }
limits: { launchMs: 20000, firstOutputMs: 20000, silenceMs: 4000, totalMs: 60000 }
`

/** Every scale that is there must do what its specification says; one that is not there is somebody's open task. */
const TEST = `import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'node:test'

for (const name of readdirSync('src').filter((name) => /^scale-/.test(name))) {
  test(name, async () => {
    const { factor } = JSON.parse(readFileSync('spec/' + name.replace(/^scale-(.*)\\.js$/, '$1.json'), 'utf8'))
    const { scale } = await import('../src/' + name)
    for (const x of [1, 2, 10]) assert.equal(scale(x), x * factor)
  })
}
test('index', () => import('../src/index.js'))
`

const LINT = `import { readdirSync, readFileSync } from 'node:fs'

for (const name of readdirSync('src'))
  if (readFileSync('src/' + name, 'utf8').includes('\\t')) {
    console.error(name + ': tabs')
    process.exitCode = 1
  }
`
