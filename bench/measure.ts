import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** One line of a result: a number, what it is compared with, and where it comes from. */
export interface Row {
  name: string
  /** Median over the rounds. */
  value: number
  unit: string
  /** The least that could be: the same work without us. At most one of `floor` and `peer` is there. */
  floor?: number
  /** Another tool doing the same work. */
  peer?: number
  /** What the project wants it to be, for people: `at least 15000`. */
  goal?: string
  /** `value` over floor or peer. */
  ratio?: number
  rounds: number
  min?: number
  max?: number
  samples?: readonly number[]
}

/** What a benchmark gets. */
export interface Bench {
  /** Runs the whole numbers instead of the quick ones. */
  full: boolean
  /** Seeds the order of the rounds. */
  seed: number
  /** Environment for children: nothing that only this machine's set-up costs. */
  env: NodeJS.ProcessEnv
  /** Absolute path of the project. */
  root: string
  /** File named by `--table`. */
  table?: string
  /** File named by `--digits`. */
  digits?: string
  /** Prints a line for people; silent with `--json`. */
  note(text: string): void
}

/** A benchmark: returns its rows and removes whatever it made. */
export type Benchmark = (bench: Bench) => Promise<Row[]>

/** Time one command took: CPU of the process and every descendant it waited for, and wall, in milliseconds. */
export interface Cost {
  cpuMs: number
  wallMs: number
}

/**
 * Runs a command to its end and returns what it cost.
 *
 * Node tells a process only its own CPU time, so bash's `time` keyword runs the command and reads what the kernel
 * counted for it and its descendants (RUSAGE_CHILDREN), to the millisecond. bash's own cost is not in it.
 *
 * @throws when the command does not end with one of `okExit`
 */
export async function costOf(
  argv: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; okExit?: readonly number[] },
): Promise<Cost> {
  const script = 'TIMEFORMAT="cost %R %U %S"; time "$@" </dev/null >/dev/null 2>&1'
  const child = spawn('bash', ['-c', script, 'bash', ...argv], {
    cwd: options.cwd,
    env: { ...options.env, LC_ALL: 'C' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let printed = ''
  child.stderr.on('data', (chunk) => {
    printed += chunk
  })
  const exit = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  const [, real, user, system] = /cost ([\d.]+) ([\d.]+) ([\d.]+)/.exec(printed) ?? []
  if (!(options.okExit ?? [0]).includes(exit ?? -1) || real === undefined) {
    throw new Error(`${argv.join(' ')} ended with ${exit}: ${printed.trim()}`)
  }
  return { cpuMs: (Number(user) + Number(system)) * 1000, wallMs: Number(real) * 1000 }
}

/**
 * Returns the CPU time of a running process so far and of those it started and waited for, in milliseconds and steps of ten,
 * as Linux tells it (proc(5), clock ticks of 10 ms); 0 where there is no such file.
 */
export async function cpuSoFar(pid: number): Promise<{ own: number; children: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The name of the program may hold anything, a bracket, too; what follows its last one are numbers.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = (from: number) => (Number(fields[from] ?? 0) + Number(fields[from + 1] ?? 0)) * 10
  return { own: ticks(11), children: ticks(13) }
}

/**
 * Measures several variants in rounds: each round runs every variant once, in an order drawn anew, so that a slow
 * minute of the machine falls on all of them. One round before that is not counted.
 *
 * @returns samples by variant, in the order of the rounds
 */
export async function interleave<K extends string>(
  variants: Readonly<Record<K, () => Promise<number>>>,
  rounds: number,
  seed: number,
): Promise<Record<K, number[]>> {
  const names = Object.keys(variants) as K[]
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>
  const random = randomFrom(seed)
  for (const name of names) await variants[name]()
  for (let round = 0; round < rounds; round++) {
    for (const name of shuffle(names, random)) samples[name].push(await variants[name]())
  }
  return samples
}

/** Returns the row of samples, with the ratio to the median of a floor's or a peer's samples. */
export function rowOf(
  name: string,
  unit: string,
  samples: readonly number[],
  against?: { floor: readonly number[] } | { peer: readonly number[] },
): Row {
  const row: Row = {
    name,
    value: round(median(samples)),
    unit,
    rounds: samples.length,
    min: round(Math.min(...samples)),
    max: round(Math.max(...samples)),
    samples: samples.map(round),
  }
  if (against === undefined) return row
  const kind = 'floor' in against ? 'floor' : 'peer'
  const other = median('floor' in against ? against.floor : against.peer)
  return { ...row, [kind]: round(other), ratio: round(median(samples) / other) }
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

function round(value: number): number {
  return Number(value.toPrecision(4))
}

function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const shuffled = [...items]
  for (let index = shuffled.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1))
    ;[shuffled[index], shuffled[other]] = [shuffled[other] as T, shuffled[index] as T]
  }
  return shuffled
}

/** Returns numbers in [0, 1) that depend on the seed alone: mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
