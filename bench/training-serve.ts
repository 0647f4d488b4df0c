/**
 * G21: `valuetrain serve`, asked 2,000 times a second, and its champion rolled back under that load.
 *
 * What is asked is the command itself, in a repository where runs were trained and promoted. Beside it, by turns, stands the
 * floor: Node's own HTTP server, which reads as much and answers as many bytes, always the same. Latencies are measured when
 * 80,000 requests have gone before: a program that has just started compiles itself on the core that also answers; its first
 * requests have a row of their own. The rollback comes after them, since the command that does it needs a core, too: it is about
 * requests that fail, and about when the other run answers.
 *
 * An open loop: requests are due at even times whether or not the answers before have come, and a latency counts from
 * when its request was due, so that a server that stalls is not spared by a client that waits. Server and client are processes of
 * their own, each on one core where `taskset` is there; what was done is said first. They take no precedence over other work: among
 * threads of one real-time priority a core stays with one for a tenth of a second, and a server's own collector would hold it up.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Benchmark, cpuSoFar, rowOf } from './measure.ts'
import type { ClientOrder, Measured, RolledBack } from './serve-client.ts'

const RATE = 2_000
/** What lies between the first requests and those that are measured: as many as half a minute brings. */
const WARM = { warm: 60_000, warmRate: 4_000 }
const POLICY = 'pole'
/** CartPole's network of the published settings; the runs differ in the passes they make. */
const CONFIG = (epochs: number) => `name: ${POLICY}
algorithm: ppo
environment: CartPole-v1
evaluation: { episodes: 10 }
rules: [{ rule: threshold, at: 5 }]
settings: { totalSteps: 2048, environments: 8, rolloutSteps: 32, minibatch: 256, epochs: ${epochs}, hidden: [64, 64], learningRate: 0.01 }
`

const bench: Benchmark = async ({ full, note, env, root }) => {
  const total = RATE * (full ? 60 : 10)
  const pins = [0, 1].map((core) => pinned(core))
  note(
    `server: ${pins[0]?.join(' ') || 'not pinned'}; client: ${pins[1]?.join(' ') || 'not pinned'}; load ${loadavg()[0]?.toFixed(1)}`,
  )
  const dir = await mkdtemp(join(tmpdir(), 'vt-bench-serve-'))
  const shim = join(root, 'bin', 'valuetrain.js')
  const valuetrain = (...args: string[]) => execFileSync(process.execPath, [shim, ...args], { cwd: dir, env, encoding: 'utf8' })
  const git = (...args: string[]) => execFileSync('git', args, { cwd: dir, env, stdio: 'ignore' })

  const load = async (argv: readonly string[], isOurs: boolean) => {
    const [command, ...args] = [...(pins[0] ?? []), process.execPath, ...argv]
    const server = spawn(command as string, args, { cwd: isOurs ? dir : root, env, stdio: ['ignore', 'pipe', 'inherit'] })
    const line = once(createInterface({ input: server.stdout as NodeJS.ReadableStream }), 'line')
    const { url } = JSON.parse((await line)[0]) as { url: string }
    const client = startClient(pins[1] ?? [], env)
    await heard<'ready'>(client)
    const order: ClientOrder = { port: Number(new URL(url).port), rate: RATE, total, ...WARM, connections: 32 }
    client.send(order)
    const measured = await heard<Measured>(client)
    // A process that `taskset` runs in place of itself keeps its id.
    const { own } = await cpuSoFar(server.pid as number)
    const text = await (await fetch(`${url}/metrics`)).text()
    const insideMs = Number(/decision_seconds_p99\{[^}]*arm="champion"\} (\S+)/.exec(text)?.[1]) * 1_000
    const after = isOurs ? await rollBack(client) : undefined
    client.send('end')
    server.kill('SIGTERM')
    await once(server, 'exit')
    return { ...measured, after, insideMs, serverMs: own / (2 * total + WARM.warm) }
  }
  const rollBack = async (client: ChildProcess) => {
    const told = heard<RolledBack>(client)
    client.send('roll back')
    const child = spawn(process.execPath, [shim, 'policy', 'rollback', POLICY], { cwd: dir, env, stdio: 'ignore' })
    await once(child, 'exit')
    const endedMs = Date.now()
    const { failed, runs, changedMs } = await told
    return { failed, runs, tookMs: changedMs === undefined ? Number.NaN : Math.max(0, changedMs - endedMs) }
  }
  /** Trains a run that differs from all before and puts it into use. */
  const put = async (epochs: number) => {
    await writeFile(join(dir, 'train.yaml'), CONFIG(epochs))
    git('add', '--all')
    git('commit', '--message', `Make ${epochs} passes`)
    const { run } = JSON.parse(valuetrain('train', 'train.yaml', '--json').trim().split('\n').at(-1) as string)
    git('add', '--all')
    git('commit', '--message', 'Train')
    valuetrain('policy', 'promote', run)
  }
  type Load = Awaited<ReturnType<typeof load>>
  const ours: Load[] = []
  const floor: Load[] = []
  try {
    git('init', '--initial-branch=main')
    git('config', 'user.name', 'Bench')
    git('config', 'user.email', 'bench@example.com')
    await put(2)
    // By turns, so that a slow minute of the machine falls on both; each round has processes of its own.
    for (let round = 0; round < (full ? 5 : 3); round++) {
      floor.push(await load(['--import', 'tsx', fileURLToPath(new URL('serve-floor.ts', import.meta.url))], false))
      await put(3 + round)
      ours.push(await load([shim, 'serve', POLICY, '--json'], true))
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
  const rolledBack = ours.flatMap(({ after }) => (after === undefined ? [] : [after]))
  note(`${total} requests measured a round; runs that answered: ${rolledBack.map(({ runs }) => runs.join(' then ')).join('; ')}`)
  const latency = (name: string, of: 'latencies' | 'first', q: number) => {
    const at = (loads: readonly Load[]) =>
      loads.map(({ [of]: sorted }) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number)
    return rowOf(`latency ${name}`, 'ms wall', at(ours), { floor: at(floor) })
  }
  const [inside, server, floorServer] = [
    ours.map(({ insideMs }) => insideMs),
    ours.map(({ serverMs }) => serverMs),
    floor.map(({ serverMs }) => serverMs),
  ]
  const answered = ours.map(({ tookMs }) => total / (tookMs / 1_000))
  const failed = ours.map((load) => load.failed + (load.after?.failed ?? 0))
  return [
    { ...latency('p99, client, from due to answered', 'latencies', 0.99), goal: 'below 2' },
    latency('p99.9', 'latencies', 0.999),
    latency('p50', 'latencies', 0.5),
    latency('p99 of the first requests after its start', 'first', 0.99),
    { ...rowOf('latency p99, in the server', 'ms wall', inside), goal: 'below 2' },
    rowOf('server', 'ms CPU a request', server, { floor: floorServer }),
    rowOf('requests answered', 'a second', answered),
    { ...rowOf('requests failed, over a rollback, too', 'requests', failed), goal: '0' },
    {
      ...rowOf(
        'from the end of `policy rollback` until its run answers',
        'ms wall',
        rolledBack.map(({ tookMs }) => tookMs),
      ),
      goal: 'below 1000',
    },
  ]
}
export default bench

function startClient(pin: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const file = fileURLToPath(new URL('serve-client.ts', import.meta.url))
  const [command, ...args] = [...pin, process.execPath, '--import', 'tsx', file]
  return spawn(command as string, args, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

async function heard<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message')
  return message as T
}

/** Returns what to put before a command so that it runs on one core; nothing where it cannot. */
function pinned(core: number): string[] {
  const onCore = ['taskset', '-c', `${core}`]
  try {
    execFileSync('taskset', [...onCore.slice(1), 'true'], { stdio: 'ignore' })
    return onCore
  } catch {
    // Not installed, or no such core.
    return []
  }
}
