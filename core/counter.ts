import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { execPath } from 'node:process'
import { ValuetrainError } from './errors.ts'

/** Where the programs of one turn state what they want: a socket, and a small program that speaks with it. */
export interface Counter {
  /** Returns an environment in which `intend` is found. */
  env(base: Readonly<Record<string, string>>): Record<string, string>
  close(): Promise<void>
}

/** What is said to one statement. */
export interface CounterAnswer {
  allowed: boolean
  reasons: readonly string[]
  /** What became of it, or will. */
  how?: string
}

const LINE_BYTES = 256 * 1024

/** The variable that names the socket. */
export const COUNTER = 'VALUETRAIN_BROKER'

/**
 * Opens a counter in a folder of its own. On the socket each line is one statement as JSON, and each answer a line as well. The
 * folder stands on PATH of the turn, so that a jail shows it read-only.
 *
 * @param state is asked one statement after another
 */
export async function openCounter(state: (statement: unknown) => Promise<CounterAnswer>): Promise<Counter> {
  const folder = await mkdtemp(join(tmpdir(), 'vt-broker-'))
  const socket = join(folder, 'socket')
  const open = new Set<Socket>()
  let turn: Promise<unknown> = Promise.resolve()
  const serve = (client: Socket, line: string) => {
    turn = turn
      .then(() => state(parse(line)))
      .catch((error: unknown) => ({ allowed: false, reasons: [said(error)] }))
      .then((answer) => client.writable && client.write(`${JSON.stringify(answer)}\n`))
  }
  const server = createServer((client) => {
    open.add(client)
    let text = ''
    client.setEncoding('utf8')
    client.on('error', () => client.destroy())
    client.on('close', () => open.delete(client))
    client.on('data', (chunk: string) => {
      text += chunk
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        serve(client, text.slice(0, end))
        text = text.slice(end + 1)
      }
      if (text.length > LINE_BYTES) client.destroy()
    })
  })
  await writeFile(join(folder, 'intend'), `#!${execPath}\n${CLIENT}`)
  await chmod(join(folder, 'intend'), 0o755)
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(socket, listening)
  })
  return {
    env: (base) => ({ ...base, [COUNTER]: socket, PATH: `${folder}${delimiter}${base.PATH ?? ''}` }),
    async close() {
      const closed = new Promise((done) => server.close(done))
      for (const client of open) client.destroy()
      await closed
      // What was stated before the end is still answered, and so written down.
      await turn
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}

/** What is no JSON is handed on as it is; whoever judges says no to it, and writes that down. */
function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return line.slice(0, 200)
  }
}

function said(error: unknown): string {
  if (error instanceof ValuetrainError) return error.message
  throw error
}

/** The program `intend`: sends its argument, or what it reads, and prints the answer; exit code 1 when it was refused. */
const CLIENT = `
const net = require('node:net'), self = require('node:process')
const text = self.argv[2] ?? require('node:fs').readFileSync(0, 'utf8')
const to = net.connect(self.env.${COUNTER} ?? '/nowhere')
let answer = ''
to.on('connect', () => to.write(text.replace(/\\n/g, ' ').trim() + String.fromCharCode(10)))
to.on('error', (error) => { self.stderr.write('nobody takes intents here (' + error.code + ')'); self.exit(2) })
to.on('data', (chunk) => {
  answer += chunk
  if (!answer.includes(String.fromCharCode(10))) return
  self.stdout.write(answer)
  self.exit(JSON.parse(answer).allowed ? 0 : 1)
})
to.on('close', () => self.exit(2))
`
