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
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`)
})
