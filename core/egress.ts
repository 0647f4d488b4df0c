import { lookup } from 'node:dns/promises'
import { BlockList, connect, createServer, isIP, type Server, type Socket } from 'node:net'

/** The only way out of a jail: a proxy on a Unix socket that knows a list of hosts. */
export interface Egress {
  /** Every decision, in order. */
  readonly log: readonly { target: string; allowed: boolean; why: string }[]
  close(): Promise<void>
}

/** Places that no name may lead to: this machine, private networks, link-local ones with the metadata address. */
const PRIVATE = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4')
}
for (const [network, prefix] of [
  ['::', 128],
  ['::1', 128],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6')
}

/**
 * Opens a proxy that answers CONNECT for the listed hosts and refuses everything else: other hosts, plain HTTP, addresses
 * instead of names, names that lead to private networks. A name is resolved once and the answer is what is connected to.
 *
 * @param file  where the socket is made
 * @param hosts `host`, which is port 443, or `host:port`
 * @param resolve returns the addresses of a host; the system's unless told
 */
export async function openEgress(
  file: string,
  hosts: readonly string[],
  resolve: (host: string) => Promise<readonly string[]> = addressesOf,
): Promise<Egress> {
  const allowed = new Set(hosts.map((host) => (/:\d+$/.test(host) ? host : `${host}:443`).toLowerCase()))
  const log: { target: string; allowed: boolean; why: string }[] = []
  const open = new Set<Socket>()
  const server = createServer((client) => {
    open.add(client)
    client.on('error', () => client.destroy())
    client.on('close', () => open.delete(client))
    readHead(client, async (line) => {
      const target = /^CONNECT (\S{1,300}) HTTP\/1\.[01]$/.exec(line)?.[1]?.toLowerCase()
      const answer = await judge(target, allowed, resolve)
      log.push({ target: target ?? line.slice(0, 100), allowed: answer.address !== undefined, why: answer.why })
      if (answer.address === undefined) return refuse(client, answer.why)
      join(client, answer.address, Number(target?.split(':').at(-1)), open)
    })
  })
  await listen(server, file)
  return {
    log,
    close: () => closeServer(server, open),
  }
}

async function judge(
  target: string | undefined,
  allowed: ReadonlySet<string>,
  resolve: (host: string) => Promise<readonly string[]>,
): Promise<{ address?: string; why: string }> {
  if (target === undefined) return { why: 'only CONNECT is answered' }
  const host = target.slice(0, target.lastIndexOf(':'))
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return { why: 'an address is not a name' }
  if (!allowed.has(target)) return { why: `${target} is not an allowed host` }
  const addresses = await resolve(host).catch(() => [])
  const [address] = addresses
  if (address === undefined) return { why: `${host} cannot be resolved` }
  const lies = addresses.find((each) => PRIVATE.check(each, isIP(each) === 6 ? 'ipv6' : 'ipv4'))
  return lies === undefined ? { address, why: 'allowed' } : { why: `${host} leads to a private network` }
}

async function addressesOf(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

const HEAD_BYTES = 16_384

function readHead(client: Socket, onLine: (line: string) => Promise<unknown>): void {
  let head = Buffer.alloc(0)
  const read = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) {
      if (head.length > HEAD_BYTES) client.destroy()
      return
    }
    client.off('data', read)
    client.pause()
    if (head.length > end + 4) client.unshift(head.subarray(end + 4))
    onLine(head.subarray(0, head.indexOf('\r\n')).toString('latin1')).catch(() => client.destroy())
  }
  client.on('data', read)
}

function refuse(client: Socket, why: string): void {
  client.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${why}\n`)
}

function join(client: Socket, host: string, port: number, open: Set<Socket>): void {
  const upstream = connect({ host, port })
  open.add(upstream)
  upstream.on('close', () => {
    open.delete(upstream)
    client.destroy()
  })
  upstream.on('error', () => refuse(client, 'the host did not answer'))
  client.on('close', () => upstream.destroy())
  upstream.on('connect', () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    client.pipe(upstream).pipe(client)
  })
}

async function closeServer(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of open) socket.destroy()
  await closed
}

function listen(server: Server, file: string): Promise<void> {
  return new Promise((listening, failed) => {
    server.once('error', failed)
    server.listen(file, listening)
  })
}

/**
 * Opens a socket that leads to one port of this machine's loopback, where our own gateway listens.
 *
 * @param file where the socket is made
 */
export async function openDoor(file: string, port: number): Promise<Pick<Egress, 'close'>> {
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
    client.pipe(upstream).pipe(client)
  })
  await listen(server, file)
  return { close: () => closeServer(server, open) }
}

/**
 * Program of the jail's inside: listens on ports of its loopback, hands every connection to a socket, and runs the
 * command. It ends as the command ends. Arguments: pairs of socket and port as JSON, then the command line.
 */
export const FORWARDER = `
const net = require('node:net'), self = require('node:process'), { spawn } = require('node:child_process')
const [doors, program, ...args] = self.argv.slice(1)
const open = (socket, port) => new Promise((opened) => net.createServer((from) => {
  const to = net.connect(socket)
  const end = () => { from.destroy(); to.destroy() }
  from.on('error', end); to.on('error', end); from.on('close', end); to.on('close', end)
  from.pipe(to).pipe(from)
}).listen(port, '127.0.0.1', opened))
Promise.all(JSON.parse(doors).map(([socket, port]) => open(socket, port))).then(() => {
  const child = spawn(program, args, { stdio: 'inherit' })
  child.on('error', (error) => { self.stderr.write(error.message); self.exit(error.code === 'ENOENT' ? 127 : 126) })
  child.on('exit', (code, signal) => self.exit(signal ? 128 + require('node:os').constants.signals[signal] : code))
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) self.on(name, () => child.kill(name))
})
`
