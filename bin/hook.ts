import { systemClock } from '../core/clock.ts'
import { systemIds } from '../core/ids.ts'
import { runHook } from '../hooks/main.ts'

/** The program that git's hooks start, bundled into one file; see `hooks/dispatch.sh` for what comes before it. */
runHook(
  process.argv.slice(2),
  {
    cwd: process.cwd(),
    env: process.env,
    readInput,
    say: (text) => process.stderr.write(text),
    answer: (text) => process.stdout.write(text),
    ids: systemIds(systemClock),
    now: systemClock.now,
  },
  (code) => process.exit(code),
).then((code) => {
  process.exitCode = code
})

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
