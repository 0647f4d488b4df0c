/**
 * Works one issue in a process of its own and kills itself without warning: after the n-th entry is on the disk
 * (`after n`), or when the n-th id is asked for (`before n`), which falls between an effect and the entry that records it.
 *
 * Usage: node worker.mjs <repository> <issue> [after|before <n>]
 */

import { runIssue } from '../../conductor/run.ts'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { portsFor } from './ports.ts'

const [dir, issue, when, count] = process.argv.slice(2)
let left = Number(count ?? Number.POSITIVE_INFINITY)
const strike = (at: string, what: string) => {
  process.stdout.write(`${at} ${what}\n`)
  if (when === at && --left === 0) process.kill(process.pid, 'SIGKILL')
}
const ids = systemIds(systemClock)
const ports = await portsFor(dir as string, process.env, {
  ids: {
    ulid: () => {
      strike('before', 'id')
      return ids.ulid()
    },
  },
  onEvent: (_, entry) => strike('after', entry.type),
})
const outcome = await runIssue(ports, { issue: Number(issue), merge: 'auto' })
process.stdout.write(`${JSON.stringify(outcome)}\n`)
