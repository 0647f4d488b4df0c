/**
 * G1 to G4: from nothing to a policy that solves its problem, seed by seed.
 *
 * Protocol: every so many environment steps the present policy plays 100 greedy episodes on seeds that nobody trained
 * on, in environments of their own. *Solved* is the first time their mean reaches the bound. The clock is CPU time of
 * this process (user and system) without those measurements. Each seed counts; none is chosen, none is left out.
 *
 * At each of those measurements the yardsticks are read, too. A machine shared with others is twice as fast in one minute as in
 * the next, so every seed has a reading of its own time, and beside what was measured stands what it comes to where the
 * yardstick reads what the goals are meant for, once by each of the two.
 */
import { loadavg } from 'node:os'
import { type DqnConfig, openDqn } from '../training/algo/dqn.ts'
import { openPpo, type PpoConfig } from '../training/algo/ppo.ts'
import { DQN_PRESETS, PPO_PRESETS } from '../training/algo/presets.ts'
import type { Backend } from '../training/backend/backend.ts'
import { jsBackend } from '../training/backend/js.ts'
import { wasmBackend } from '../training/backend/wasm.ts'
import { acrobot } from '../training/env/acrobot.ts'
import { cartPole } from '../training/env/cart-pole.ts'
import { divided } from '../training/env/divided.ts'
import { mountainCar } from '../training/env/mountain-car.ts'
import { pendulum } from '../training/env/pendulum.ts'
import { vectorise } from '../training/env/vector.ts'
import { evaluate, evaluateRandom, meanScore } from '../training/evaluate.ts'
import type { Environment, Learner, PolicyModel } from '../training/types.ts'
import { type Bench, type Benchmark, type Row, rowOf } from './measure.ts'
import { asDue, cpuSeconds, DUE_GMACS, DUE_PLAIN_GMACS, plainGmacs, yardstickGmacs } from './yardstick.ts'

/** What one learner is put to. */
interface Course {
  open: () => Environment
  learner: (seed: number) => Learner
  /** Environment steps between two measurements. */
  every: number
  /** Environment steps trained in all. */
  steps: number
  /** Mean return from which it counts as solved. */
  bound: number
  /** Keep the policy that did best on episodes apart from those of the score, instead of the last. */
  keepBest?: boolean
  /** Stop as soon as it is solved. */
  untilSolved?: boolean
}

/** How fast the machine was, in 10^9 multiplications and additions a CPU second. */
interface Speed {
  /** By the frozen kernel. */
  gmacs: number
  /** By a plain loop. */
  plain: number
}

interface Outcome extends Speed {
  seed: number
  solvedAt: number | undefined
  cpuToSolve: number
  steps: number
  cpu: number
  score: number
}

const EPISODES = 100
/** Score, choice between checkpoints: never the same episodes. */
const SUITE = { score: 10_001, choice: 1_010_004 }

export const cartPoleBench: Benchmark = async (bench) => {
  const { full } = bench
  const zoo = (backend: () => Backend) => (seed: number) => ppo(cartPole, PPO_PRESETS.cartPole, seed, backend())
  const course = { open: cartPole, every: 5_000, steps: 50_000, bound: 500 }
  const seeds = numbers(10)
  const speeds: Speed[] = []
  const whole = await run(bench, 'PPO, zoo settings', { ...course, learner: zoo(wasmBackend) }, seeds, speeds)
  const fast: Course = {
    open: cartPole,
    learner: (seed) => ppo(cartPole, PPO_PRESETS.cartPoleFast, seed, wasmBackend()),
    every: 2_048,
    steps: 100_000,
    bound: 500,
    untilSolved: true,
  }
  const quick = await run(bench, 'PPO, fast preset', fast, seeds, speeds)
  const plain: Course = { ...course, learner: zoo(jsBackend), untilSolved: true }
  const js = await run(bench, 'PPO, zoo settings, plain JavaScript', plain, full ? numbers(3) : [1], speeds)
  const rows = [
    ...solveRows(whole, '', { solved: '10 of 10', cpu: 1.5, rate: 15_000 }),
    ...solveRows(quick, ', fast', { solved: '10 of 10', cpu: 1 }),
    ...solveRows(js, ', js', {}),
  ]
  if (full) {
    const dqnCourse: Course = {
      open: cartPole,
      learner: (seed) => dqn(cartPole, DQN_PRESETS.cartPole, seed),
      every: 2_500,
      steps: DQN_PRESETS.cartPole.totalSteps,
      bound: 500,
      keepBest: true,
    }
    rows.push(scoreRow('score, DQN', await run(bench, 'DQN, best checkpoint', dqnCourse, numbers(5), speeds), '500 each'))
  }
  return [...rows, ...(await baselines(cartPole)), ...calibrationRows(speeds)]
}

export const acrobotBench: Benchmark = async (bench) => {
  const { full } = bench
  const speeds: Speed[] = []
  const course: Course = {
    open: acrobot,
    learner: (seed) => ppo(acrobot, PPO_PRESETS.acrobot, seed, wasmBackend()),
    every: full ? 20_480 : 8_192,
    steps: full ? 1_000_000 : 100_000,
    bound: -85,
  }
  const outcomes = await run(bench, 'PPO, zoo settings', course, numbers(5), speeds)
  const js = await run(bench, 'PPO, plain JavaScript', { ...course, learner: slow(acrobot), steps: 20_000 }, [1], speeds)
  const rows = [
    ...solveRows(outcomes, '', { rate: 50_000 }),
    scoreRow(`score, PPO at ${course.steps} steps`, outcomes, full ? 'mean at least -80' : undefined),
    ...rateRows(', js', js, undefined),
  ]
  if (full) rows.push(await dqnScore(bench, acrobot, DQN_PRESETS.acrobot, 'mean at least -85', speeds))
  return [...rows, ...(await baselines(acrobot)), ...calibrationRows(speeds)]
}

export const mountainCarBench: Benchmark = async (bench) => {
  const { full } = bench
  const speeds: Speed[] = []
  const course: Course = {
    open: mountainCar,
    learner: (seed) => ppo(mountainCar, PPO_PRESETS.mountainCar, seed, wasmBackend()),
    every: 50_000,
    steps: full ? 1_000_000 : 200_000,
    bound: -120,
  }
  const outcomes = await run(bench, 'PPO, zoo settings', course, numbers(5), speeds)
  const rows = [
    ...solveRows(outcomes, '', {}),
    scoreRow(`score, PPO at ${course.steps} steps`, outcomes, full ? 'mean at least -120' : undefined),
  ]
  if (full) rows.push(await dqnScore(bench, mountainCar, DQN_PRESETS.mountainCar, 'mean at least -115', speeds))
  return [...rows, ...(await baselines(mountainCar)), ...calibrationRows(speeds)]
}

export const pendulumBench: Benchmark = async (bench) => {
  const speeds: Speed[] = []
  const open = () => divided(pendulum(), 5)
  return [
    await dqnScore(bench, open, DQN_PRESETS.pendulum, undefined, speeds),
    ...(await baselines(open)),
    ...calibrationRows(speeds),
  ]
}

function ppo(open: () => Environment, config: PpoConfig, seed: number, backend: Backend): Learner {
  return openPpo({ environment: vectorise(open, config.environments), config, backend, seed })
}

function dqn(open: () => Environment, config: DqnConfig, seed: number): Learner {
  return openDqn({ environment: vectorise(open, config.environments), config, backend: wasmBackend(), seed })
}

function slow(open: () => Environment): (seed: number) => Learner {
  return (seed) => ppo(open, PPO_PRESETS.acrobot, seed, jsBackend())
}

async function dqnScore(bench: Bench, open: () => Environment, config: DqnConfig, goal: string | undefined, speeds: Speed[]) {
  const course: Course = {
    open,
    learner: (seed) => dqn(open, config, seed),
    every: Math.round(config.totalSteps / 30),
    steps: config.totalSteps,
    bound: Number.POSITIVE_INFINITY,
    keepBest: true,
  }
  return scoreRow(
    `score, DQN at ${config.totalSteps} steps`,
    await run(bench, 'DQN, best checkpoint', course, numbers(5), speeds),
    goal,
  )
}

/** Trains one learner a seed and says of each how it went, and how fast the machine was meanwhile. */
async function run(bench: Bench, title: string, course: Course, seeds: readonly number[], speeds: Speed[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const seed of seeds) {
    const outcome = await train(course, bench.seed + seed - 1)
    outcomes.push(outcome)
    const { solvedAt, cpuToSolve, steps, cpu, score, gmacs, plain } = outcome
    speeds.push({ gmacs, plain })
    const solved = solvedAt === undefined ? 'not solved' : `solved at ${solvedAt} steps, ${cpuToSolve.toFixed(2)} CPU-s`
    bench.note(
      `${title}, seed ${outcome.seed}: ${solved}; ${steps} steps in ${cpu.toFixed(2)} CPU-s (${Math.round(steps / cpu)}/s), yardsticks ${gmacs.toFixed(1)} and ${plain.toFixed(2)}, load ${(loadavg()[0] as number).toFixed(1)}, score ${score.toFixed(2)}`,
    )
  }
  return outcomes
}

async function train(
  { open, learner: make, every, steps, bound, keepBest, untilSolved }: Course,
  seed: number,
): Promise<Outcome> {
  const scoreOf = async (model: PolicyModel, suite: number) =>
    meanScore(await evaluate(model, { open, episodes: EPISODES, seed: suite }))
  const learner = make(seed)
  let cpu = 0
  let cpuToSolve = Number.NaN
  let solvedAt: number | undefined
  const readings = [yardstickGmacs()]
  const plain = [plainGmacs()]
  let best = { model: learner.model(), score: Number.NEGATIVE_INFINITY }
  for (let next = every; learner.steps < steps; next += every) {
    const before = cpuSeconds()
    while (learner.steps < Math.min(next, steps)) await learner.step()
    cpu += cpuSeconds() - before
    readings.push(yardstickGmacs())
    plain.push(plainGmacs())
    const model = learner.model()
    if (solvedAt === undefined && (await scoreOf(model, SUITE.score)) >= bound) {
      solvedAt = learner.steps
      cpuToSolve = cpu
    }
    if (keepBest) {
      const score = await scoreOf(model, SUITE.choice)
      if (score >= best.score) best = { model, score }
    }
    if (untilSolved && solvedAt !== undefined) break
  }
  const kept = keepBest ? best.model : learner.model()
  const score = await scoreOf(kept, SUITE.score)
  return { seed, solvedAt, cpuToSolve, steps: learner.steps, cpu, score, gmacs: meanRate(readings), plain: meanRate(plain) }
}

/** Goals are those of a machine on which the yardstick reads 11; what they come to here is told beside them. */
function solveRows(outcomes: readonly Outcome[], of: string, goals: { solved?: string; cpu?: number; rate?: number }): Row[] {
  const solved = outcomes.filter(({ solvedAt }) => solvedAt !== undefined)
  // A seed that never got there counts as one that took for ever.
  const steps = outcomes.map(({ solvedAt }) => solvedAt ?? Number.POSITIVE_INFINITY)
  const cpu = outcomes.map(({ solvedAt, cpuToSolve }) => (solvedAt === undefined ? Number.POSITIVE_INFINITY : cpuToSolve))
  const due = outcomes.map(({ gmacs }, n) => asDue(cpu[n] as number, gmacs))
  const duePlain = outcomes.map(({ plain }, n) => asDue(cpu[n] as number, plain, DUE_PLAIN_GMACS))
  return [
    {
      name: `seeds_solved${of}`,
      value: solved.length,
      unit: `of ${outcomes.length}`,
      rounds: outcomes.length,
      ...(goals.solved === undefined ? {} : { goal: goals.solved }),
    },
    rowOf(`cpu_s_to_solve_median${of}`, 'CPU-s', cpu),
    {
      ...rowOf(`cpu_s_to_solve_median${of}, at ${DUE_GMACS} GMAC/s`, 'CPU-s', due),
      ...(goals.cpu === undefined ? {} : { goal: `at most ${goals.cpu}` }),
    },
    {
      ...rowOf(`cpu_s_to_solve_median${of}, by plain JavaScript`, 'CPU-s', duePlain),
      ...(goals.cpu === undefined ? {} : { goal: `at most ${goals.cpu}` }),
    },
    rowOf(`steps_to_solve_median${of}`, 'steps', steps),
    ...rateRows(of, outcomes, goals.rate),
  ]
}

function rateRows(of: string, outcomes: readonly Outcome[], goal: number | undefined): Row[] {
  const rates = outcomes.map(({ steps, cpu }) => steps / cpu)
  const due = outcomes.map(({ steps, cpu, gmacs }) => steps / asDue(cpu, gmacs))
  const duePlain = outcomes.map(({ steps, cpu, plain }) => steps / asDue(cpu, plain, DUE_PLAIN_GMACS))
  return [
    rowOf(`steps_per_cpu_s${of}`, 'steps/CPU-s', rates),
    {
      ...rowOf(`steps_per_cpu_s${of}, at ${DUE_GMACS} GMAC/s`, 'steps/CPU-s', due),
      ...(goal === undefined ? {} : { goal: `at least ${goal}` }),
    },
    {
      ...rowOf(`steps_per_cpu_s${of}, by plain JavaScript`, 'steps/CPU-s', duePlain),
      ...(goal === undefined ? {} : { goal: `at least ${goal}` }),
    },
  ]
}

/** The mean over seeds, with every seed's score as a sample: a median would hide a collapse. */
function scoreRow(name: string, outcomes: readonly Outcome[], goal: string | undefined): Row {
  const scores = outcomes.map(({ score }) => score)
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length
  return { ...rowOf(name, 'mean return', scores), value: Number(mean.toPrecision(5)), ...(goal === undefined ? {} : { goal }) }
}

/** What a policy that draws its actions gets on the same episodes. */
async function baselines(open: () => Environment): Promise<Row[]> {
  const rows = await evaluateRandom({ open, episodes: EPISODES, seed: SUITE.score })
  return [
    {
      ...rowOf(
        'score, random actions',
        'mean return',
        rows.map(({ score }) => score),
      ),
      value: Number(meanScore(rows).toPrecision(5)),
      rounds: rows.length,
    },
  ]
}

/** The rate over several pieces of equal work: the harmonic mean. */
function meanRate(rates: readonly number[]): number {
  return rates.length / rates.reduce((sum, rate) => sum + 1 / rate, 0)
}

function calibrationRows(speeds: readonly Speed[]): Row[] {
  return [
    rowOf(
      'calibration_gmacs',
      'GMAC/CPU-s',
      speeds.map(({ gmacs }) => gmacs),
    ),
    rowOf(
      'calibration_gmacs, plain JavaScript',
      'GMAC/CPU-s',
      speeds.map(({ plain }) => plain),
    ),
  ]
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}
