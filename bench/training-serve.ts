/**
 * G21: a policy server asked 2,000 times a second, its champion rolled back in the middle.
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
const WARM = 10_000

const bench: Benchmark = async ({ full, note, env }) => {
  const total = RATE * (full ? 60 : 10)
  const pins = [0, 1].map((core) => pinned(core))
  const start = (file: string, pin: readonly string[]) => {
    const argv = [...pin, process.execPath, '--import', 'tsx', fileURLToPath(new URL(file, import.meta.url))]
    return spawn(argv[0] as string, argv.slice(1), { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  }
  const server = start('serve-child.ts', pins[0] ?? [])
  const { url } = await heard<{ url: string }>(server)
  const client = start('serve-client.ts', pins[1] ?? [])
  note(
    `server: ${pins[0]?.join(' ') || 'not pinned'}; client: ${pins[1]?.join(' ') || 'not pinned'}; load ${loadavg()[0]?.toFixed(1)}`,
  )
  await heard<'ready'>(client)
  client.send({ port: Number(new URL(url).port), rate: RATE, total, warm: WARM, connections: 32 } satisfies ClientOrder)
  await heard<'half'>(client)
  const changed = heard<{ changedMs: number }>(server)
  server.send('roll back')
  const { changedMs } = await changed
  const { latencies, failed, runs, tookMs, cpuMs: clientCpuMs } = await heard<ClientResult>(client)
  const text = await (await fetch(`${url}/metrics`)).text()
  const inside = Number(/decision_seconds_p99\{[^}]*arm="champion"\} (\S+)/.exec(text)?.[1]) * 1_000
  const ended = heard<{ cpuMs: number }>(server)
  server.send('end')
  const { cpuMs } = await ended
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] as number
  note(`${total} requests in ${(tookMs / 1_000).toFixed(1)} s, answered by runs ${runs.join(' and ')}`)
  return [
    { ...rowOf('latency p99, client, from due to answered', 'ms wall', [quantile(0.99)]), goal: 'below 2' },
    rowOf('latency p99.9', 'ms wall', [quantile(0.999)]),
    rowOf('latency p50', 'ms wall', [quantile(0.5)]),
    { ...rowOf('latency p99, in the server', 'ms wall', [inside]), goal: 'below 2' },
    rowOf('server', 'ms CPU a request', [cpuMs / (total + WARM)]),
    rowOf('client', 'ms CPU a request', [clientCpuMs / total]),
    rowOf('requests answered', 'a second', [total / (tookMs / 1_000)]),
    { ...rowOf('requests failed over a rollback', 'requests', [failed]), goal: '0' },
    { ...rowOf('rollback, until the other policy answers', 'ms wall', [changedMs]), goal: 'below 1000' },
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
