/**
 * G21: a policy server asked 2,000 times a second, its champion rolled back in the middle.
 *
 * Beside it, in rounds by turns, stands the floor: Node's own HTTP server that reads as much and answers the same bytes always. What
 * is measured comes after 80,000 others: a program that has just started compiles itself on the core that also answers, and
 * its first requests have a row of their own.
 *
 * An open loop: requests are due at even times whether or not the answers before have come, and a latency counts from
 * when its request was due, so that a server that stalls is not spared by a client that waits. Server and client are processes of
 * their own, each on one core where `taskset` is there; what was done is said first. They take no precedence over other work: among
 * threads of one real-time priority a core stays with one for a tenth of a second, and a server's own collector would hold it up.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Benchmark, rowOf } from './measure.ts'
import type { ClientOrder, ClientResult } from './serve-client.ts'

const RATE = 2_000
/** What lies between the first requests and those that are measured: as many as half a minute brings. */
const WARM = { warm: 60_000, warmRate: 4_000 }

const bench: Benchmark = async ({ full, note, env }) => {
  const total = RATE * (full ? 60 : 10)
  const pins = [0, 1].map((core) => pinned(core))
  const start = (file: string, pin: readonly string[]) => {
    const argv = [...pin, process.execPath, '--import', 'tsx', fileURLToPath(new URL(file, import.meta.url))]
    return spawn(argv[0] as string, argv.slice(1), { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }
  note(
    `server: ${pins[0]?.join(' ') || 'not pinned'}; client: ${pins[1]?.join(' ') || 'not pinned'}; load ${loadavg()[0]?.toFixed(1)}`,
  )
  const load = async (file: string) => {
    const server = start(file, pins[0] ?? [])
    const { url } = await heard<{ url: string }>(server)
    const client = start('serve-client.ts', pins[1] ?? [])
    await heard<'ready'>(client)
    client.send({ port: Number(new URL(url).port), rate: RATE, total, ...WARM, connections: 32 } satisfies ClientOrder)
    await heard<'half'>(client)
    const changed = heard<{ changedMs: number }>(server)
    server.send('roll back')
    const { changedMs } = await changed
    const asked = await heard<ClientResult>(client)
    const text = await (await fetch(`${url}/metrics`)).text()
    const insideMs = Number(/decision_seconds_p99\{[^}]*arm="champion"\} (\S+)/.exec(text)?.[1]) * 1_000
    const ended = heard<{ cpuMs: number }>(server)
    server.send('end')
    const { cpuMs } = await ended
    return { ...asked, changedMs, insideMs, serverMs: cpuMs / (2 * total + WARM.warm) }
  }
  const ours: Awaited<ReturnType<typeof load>>[] = []
  const floor: typeof ours = []
  // By turns, so that a slow minute of the machine falls on both; each round has processes of its own.
  for (let round = 0; round < (full ? 5 : 3); round++) {
    floor.push(await load('serve-floor.ts'))
    ours.push(await load('serve-child.ts'))
  }
  note(`${total} requests measured a round, answered by runs ${[...new Set(ours.flatMap(({ runs }) => runs))].join(' and ')}`)
  const latency = (name: string, of: 'latencies' | 'first', q: number) => {
    const at = (results: typeof ours) =>
      results.map(({ [of]: sorted }) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] as number)
    return rowOf(`latency ${name}`, 'ms wall', at(ours), { floor: at(floor) })
  }
  const each = (value: (result: (typeof ours)[number]) => number) => ours.map(value)
  return [
    { ...latency('p99, client, from due to answered', 'latencies', 0.99), goal: 'below 2' },
    latency('p99.9', 'latencies', 0.999),
    latency('p50', 'latencies', 0.5),
    latency('p99 of the first requests after its start', 'first', 0.99),
    {
      ...rowOf(
        'latency p99, in the server',
        'ms wall',
        each(({ insideMs }) => insideMs),
      ),
      goal: 'below 2',
    },
    rowOf(
      'server',
      'ms CPU a request',
      each(({ serverMs }) => serverMs),
      { floor: floor.map(({ serverMs }) => serverMs) },
    ),
    rowOf(
      'requests answered',
      'a second',
      each(({ tookMs }) => total / (tookMs / 1_000)),
    ),
    {
      ...rowOf(
        'requests failed over a rollback',
        'requests',
        each(({ failed }) => failed),
      ),
      goal: '0',
    },
    {
      ...rowOf(
        'rollback, until the other policy answers',
        'ms wall',
        each(({ changedMs }) => changedMs),
      ),
      goal: 'below 1000',
    },
  ]
}
export default bench

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
