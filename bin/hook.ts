import { writeSync } from 'node:fs'
import { runHook } from '../hooks/main.ts'

/** The program that git's hooks start, bundled into one file; see `hooks/dispatch.sh` for what comes before it. */
runHook(
  process.argv.slice(2),
  {
    cwd: process.cwd(),
    env: process.env,
    readInput,
    say: (text) => write(2, text),
    answer: (text) => write(1, text),
    now: Date.now,
  },
  (code) => process.exit(code),
).then((code) => {
  process.exitCode = code
})

const MOST_TRIES = 1_000

/** Returns standard input, and nothing when it is closed or a terminal. */
async function readInput(): Promise<string> {
  if (process.stdin.isTTY) return ''
  const chunks: Buffer[] = []
  try {
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  } catch {
    return ''
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Writes at once: a stream would take a hook a millisecond to make. Nobody reading is no reason to fail. */
function write(descriptor: number, text: string): void {
  let rest = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < MOST_TRIES; tries++) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest))
    } catch (error) {
      // A pipe that does not block is full until its reader goes on.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}
