/**
 * G21: a policy server asked 2,000 times a second, its champion rolled back in the middle.
 *
 * An open loop: requests are due at even times whether or not the answers before have come, and a latency counts from
 * when its request was due, so that a server that stalls is not spared by a client that waits. The client and other work
 * share the machine, which is why the server's own p99 and its CPU time a request stand beside.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { type Benchmark, rowOf } from './measure.ts'

const RATE = 2_000

const bench: Benchmark = async ({ full, note, env }) => {
  const seconds = full ? 60 : 10
  const child = fork(fileURLToPath(new URL('serve-child.ts', import.meta.url)), { execArgv: ['--import', 'tsx'], env })
  const heard = async <T>() => (await once(child, 'message'))[0] as T
  const { url } = await heard<{ url: string }>()
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const body = (n: number) => JSON.stringify({ key: `issue-${n % 500}`, observation: [0.01, -0.2, 0.03, (n % 7) / 10] })
  const ask = (path: string, content?: string) =>
    new Promise<{ status: number; text: string }>((resolve) => {
      const sent = request(`${url}${path}`, { agent, method: content === undefined ? 'GET' : 'POST' }, (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
      })
      sent.on('error', (error) => resolve({ status: 0, text: error.message }))
      sent.end(content)
    })
  // What is compiled on the way is no steady state.
  for (let n = 0; n < 2_000; n += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => ask('/decide', body(n + k))))

  const latencies: number[] = []
  const runs = new Set<string>()
  let failed = 0
  const open: Promise<void>[] = []
  const total = RATE * seconds
  const started = performance.now()
  let changed: Promise<{ changedMs: number }> | undefined
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - started) / 1_000) * RATE))
    for (; sent < due; sent++) {
      const at = started + (sent * 1_000) / RATE
      open.push(
        ask('/decide', body(sent)).then(({ status, text }) => {
          latencies.push(performance.now() - at)
          if (status !== 200) failed++
          else runs.add((JSON.parse(text) as { run: string }).run)
        }),
      )
    }
    if (changed === undefined && sent >= total / 2) {
      changed = heard<{ changedMs: number }>()
      child.send('roll back')
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(open)
  const tookS = (performance.now() - started) / 1_000
  const { changedMs } = await (changed as Promise<{ changedMs: number }>)
  const { text } = await ask('/metrics')
  const inside = Number(/decision_seconds_p99\{[^}]*arm="champion"\} (\S+)/.exec(text)?.[1]) * 1_000
  const ended = heard<{ cpuMs: number }>()
  child.send('end')
  const { cpuMs } = await ended
  agent.destroy()
  latencies.sort((a, b) => a - b)
  const quantile = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(q * latencies.length))] as number
  note(`${total} requests in ${tookS.toFixed(1)} s, answered by runs ${[...runs].join(' and ')}`)
  return [
    { ...rowOf('latency p99, from due to answered', 'ms wall', [quantile(0.99)]), goal: 'below 2' },
    rowOf('latency p50', 'ms wall', [quantile(0.5)]),
    { ...rowOf('latency p99, in the server', 'ms wall', [inside]), goal: 'below 2' },
    rowOf('server', 'ms CPU a request', [cpuMs / (total + 2_000)]),
    rowOf('requests answered', 'a second', [total / tookS]),
    { ...rowOf('requests failed over a rollback', 'requests', [failed]), goal: '0' },
    { ...rowOf('rollback, until the other policy answers', 'ms wall', [changedMs]), goal: 'below 1000' },
  ]
}
export default bench
