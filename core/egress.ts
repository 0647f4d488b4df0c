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
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
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

function listen(server: Server, file: string): Promise<void> {
  return new Promise((listening, failed) => {
    server.once('error', failed)
    server.listen(file, listening)
  })
}

/**
 * Program of the jail's inside: listens on its loopback, hands every connection to the socket, and runs the command.
 * It ends as the command ends. Arguments: socket, port, command line.
 */
export const FORWARDER = `
const net = require('node:net'), { spawn } = require('node:child_process')
const [socket, port, program, ...args] = process.argv.slice(1)
const server = net.createServer((from) => {
  const to = net.connect(socket)
  const end = () => { from.destroy(); to.destroy() }
  from.on('error', end); to.on('error', end); from.on('close', end); to.on('close', end)
  from.pipe(to).pipe(from)
})
server.listen(Number(port), '127.0.0.1', () => {
  const child = spawn(program, args, { stdio: 'inherit' })
  child.on('error', (error) => { console.error(error.message); process.exit(error.code === 'ENOENT' ? 127 : 126) })
  child.on('exit', (code, signal) => { signal ? process.kill(process.pid, signal) : process.exit(code) })
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => child.kill(name))
})
`
