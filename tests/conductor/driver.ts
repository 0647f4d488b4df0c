/**
 * Drives the queue of one clone in a process of its own until nothing is ready, and prints what became of each issue.
 * With `kill`, it kills itself without warning after the n-th entry is on the disk.
 *
 * Usage: node driver.mjs <repository> <auto|person> [kill <n>]
 */

import { drive } from '../../conductor/drive.ts'
import { portsFor } from './ports.ts'

const [dir, merge, , count] = process.argv.slice(2)
let left = Number(count ?? Number.POSITIVE_INFINITY)
const ports = await portsFor(dir as string, process.env, {
  onEvent: (ticket, entry) => {
    process.stdout.write(`${ticket} ${entry.type}\n`)
    if (--left === 0) process.kill(process.pid, 'SIGKILL')
  },
  onProgress: (ticket, text) => process.stderr.write(`${ticket}: ${text}\n`),
})
const { issues } = await drive(ports, { once: true, merge: merge as 'auto' | 'person' })
process.stdout.write(`${JSON.stringify(issues)}\n`)
