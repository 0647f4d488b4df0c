/**
 * The client of bench/training-serve.ts, in a process and on a core of its own: asks at even times over connections that stay
 * open, and says how long each answer took from when its request was due, and which run gave it.
 *
 * It speaks HTTP/1.1 over plain sockets: Node's own client takes more CPU a request than the server does, and would measure itself.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import process from 'node:process'

export interface ClientOrder {
  port: number
  /** Requests a second. */
  rate: number
  /** Requests that are measured. */
  total: number
  /** Requests before them, and how many a second: a program that has just started still compiles itself. */
  warm: number
  warmRate: number
  /** Connections; a request waits where all are busy, and its waiting counts. */
  connections: number
}

export interface Measured {
  /** Milliseconds from due to answered, sorted. */
  latencies: number[]
  /** The same of the first requests of all, as many as are measured. */
  first: number[]
  failed: number
  tookMs: number
}

/** What was seen while something else was put into use. */
export interface RolledBack {
  failed: number
  /** Runs that answered, in their order. */
  runs: string[]
  /** When the second of them first answered, milliseconds since 1970. */
  changedMs: number | undefined
}

/** Seconds that are watched for another run to answer. */
const WATCHED = 10

const body = (n: number) => JSON.stringify({ key: `issue-${n % 500}`, observation: [0.01, -0.2, 0.03, (n % 7) / 10] })

process.once('message', async (order: ClientOrder) => {
  const idle: Connection[] = await Promise.all(Array.from({ length: order.connections }, () => open(order.port)))
  const { latencies: first } = await pace(idle, order.total, order.rate)
  await pace(idle, order.warm, order.warmRate)
  const started = performance.now()
  const { latencies, failed } = await pace(idle, order.total, order.rate)
  const measured: Measured = { latencies, first, failed, tookMs: performance.now() - started }
  process.on('message', async (asked) => {
    if (asked === 'roll back') {
      const told: RolledBack = await pace(idle, WATCHED * order.rate, order.rate)
      process.send?.(told)
    } else {
      for (const { socket } of idle) socket.destroy()
      process.disconnect()
    }
  })
  process.send?.(measured)
})

// What is sent to a module that is still loading is lost.
process.send?.('ready')

/** Sends `total` requests, the n-th n / rate seconds after the first, whether or not those before are answered. */
async function pace(idle: Connection[], total: number, rate: number) {
  const latencies: number[] = []
  const runs: string[] = []
  let failed = 0
  let changedMs: number | undefined
  const started = performance.now()
  const waiting: number[] = []
  const send = (connection: Connection, n: number) => {
    connection.ask(body(n), (status, text) => {
      latencies.push(performance.now() - started - (n * 1_000) / rate)
      if (status !== 200) failed++
      else {
        const { run } = JSON.parse(text) as { run: string }
        if (!runs.includes(run)) {
          if (runs.length === 1) changedMs = Date.now()
          runs.push(run)
        }
      }
      const next = waiting.shift()
      if (next === undefined) idle.push(connection)
      else send(connection, next)
    })
  }
  for (let sent = 0; latencies.length < total; ) {
    const due = Math.min(total, 1 + Math.floor(((performance.now() - started) / 1_000) * rate))
    for (; sent < due; sent++) {
      const connection = idle.shift()
      if (connection === undefined) waiting.push(sent)
      else send(connection, sent)
    }
    // A spin: the client has a core of its own, and timers, which pause a millisecond at least, would take half of what is allowed.
    await new Promise((resolve) => setImmediate(resolve))
  }
  latencies.sort((a, b) => a - b)
  return { latencies, failed, runs, changedMs }
}

interface Connection {
  readonly socket: Socket
  ask(content: string, then: (status: number, text: string) => void): void
}

async function open(port: number): Promise<Connection> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  await once(socket, 'connect')
  let answered: ((status: number, text: string) => void) | undefined
  let read = ''
  const done = (status: number, text: string) => {
    const then = answered
    answered = undefined
    then?.(status, text)
  }
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => {
    read += part
    const end = read.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/^content-length: (\d+)$/im.exec(read.slice(0, end))?.[1])
    if (read.length < end + 4 + length) return
    const [status, text] = [Number(read.slice(9, 12)), read.slice(end + 4, end + 4 + length)]
    read = ''
    done(status, text)
  })
  // A connection that ends under a request is a failed request.
  socket.on('error', () => {})
  socket.on('close', () => done(0, ''))
  return {
    socket,
    ask(content, then) {
      answered = then
      if (socket.destroyed) return done(0, '')
      socket.write(
        `POST /decide HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${content.length}\r\n\r\n${content}`,
      )
    },
  }
}
