/** The floor of bench/training-serve.ts: Node's own HTTP server, which reads a request as JSON and answers always the same bytes. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'

// As long as the answer of the server that is measured.
const text = JSON.stringify({ run: '1'.repeat(12), version: '1'.repeat(64), filled: 'x'.repeat(110) })
const server = createServer((request, response) => {
  // It has no metrics.
  if (request.method === 'GET') return response.end()
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString('utf8'))
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length })
    response.end(text)
  })
})
server.keepAliveTimeout = 65_000
server.listen(0, '127.0.0.1', () => process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }))
process.on('message', (asked) => {
  if (asked === 'roll back') return process.send?.({ changedMs: 0 })
  const { user, system } = process.cpuUsage()
  server.closeAllConnections()
  server.close()
  process.send?.({ cpuMs: (user + system) / 1000 })
  process.disconnect()
})
