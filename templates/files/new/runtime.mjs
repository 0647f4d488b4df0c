// A runtime of this repository: one way to work a role. It is loaded from the committed configuration.
// This one starts a program, gives it the brief on standard input and waits for it to end.
import { spawn } from 'node:child_process'

/** The program and its arguments; never a shell string. Put your agent here. */
const ARGV = ['__NAME__']

export const runtime = {
  id: '__NAME__',
  title: 'Runs __NAME__ with the brief on standard input',

  /** Says, before anything is spent, whether this can work here. */
  async probe() {
    const found = await new Promise((resolve) => {
      const child = spawn(ARGV[0], ['--version'], { stdio: 'ignore', timeout: 5_000 })
      child.on('error', () => resolve(false))
      child.on('exit', (code) => resolve(code === 0))
    })
    return found
      ? { ready: true, why: `${ARGV[0]} answers` }
      : { ready: false, why: `${ARGV[0]} is not on PATH or does not answer --version` }
  },

  /** Says whether it takes an issue; the reason is shown to whoever waits for it. */
  accepts({ labels }) {
    const accepted = labels.includes('agent:__NAME__')
    return { accepted, why: accepted ? 'the issue names it' : 'add the label agent:__NAME__ to the issue' }
  },

  /**
   * Works one turn: edits files in `cwd` and ends. What it changed is committed and judged by us, so it needs no git.
   * Honour `signal` and `limits`, and end what you started.
   */
  async turn({ brief, cwd, env, limits, signal }, onEvent) {
    const child = spawn(ARGV[0], ARGV.slice(1), { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], detached: true })
    const end = () => {
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      end()
    }, limits.totalMs)
    signal.addEventListener('abort', end, { once: true })
    child.stdin.on('error', () => {})
    child.stdin.end(brief)
    for (const stream of ['stdout', 'stderr']) {
      child[stream].setEncoding('utf8')
      child[stream].on('data', (text) => onEvent({ type: 'output', stream, text }))
    }
    const { code, reason } = await new Promise((resolve) => {
      child.on('error', (error) => resolve({ code: null, reason: error.message }))
      child.on('close', (code, name) =>
        resolve({ code, reason: name ? `it was ended by ${name}` : `it ended with exit code ${code}` }),
      )
    })
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
    if (signal.aborted) return { outcome: 'cancelled', reason: 'the operator stopped it', exit: code }
    if (timedOut) return { outcome: 'timed-out', reason: `it took longer than ${limits.totalMs} ms`, exit: code }
    return { outcome: code === 0 ? 'completed' : 'failed', reason, exit: code }
  },
}
