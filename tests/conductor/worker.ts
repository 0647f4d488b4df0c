/**
 * Works one issue in a process of its own and kills itself without warning: after the n-th entry is on the disk
 * (`after n`), or when the n-th id is asked for (`before n`), which falls between an effect and the entry that records it.
 * With `look` it kills nothing, and says at each of these places whether a file was changed since the one before.
 *
 * Usage: node worker.mjs <repository> <issue> [after|before <n> | look]
 */

import { join } from 'node:path'
import { runIssue } from '../../conductor/run.ts'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { openLook } from './look.ts'
import { portsFor } from './ports.ts'

const [dir, issue, when, count] = process.argv.slice(2)
let left = Number(count ?? Number.POSITIVE_INFINITY)
const look = openLook([join(dir as string, '..')])
const strike = (at: string, what: string) => {
  process.stdout.write(`${at} ${what}${when === 'look' ? ` (${look()})` : ''}\n`)
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
