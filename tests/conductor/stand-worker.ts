/**
 * Works one issue, or the queue, of a clone of a stand's repository in a process of its own, and kills itself without warning:
 * after the n-th entry is on the disk (`after n`), when the n-th id is asked for (`before n`), when the n-th writing request
 * to the forge's API has been answered and nobody has read the answer (`sent n`), or when the n-th effect on the forge, of one
 * or more requests, has been carried out and nobody knows of it yet (`effect n`).
 *
 * With `look` it kills nothing, and says at each of these places whether anything was changed since the one before, here
 * or in the repository it pushes to: where nothing was, a kill leaves what one at the place before leaves.
 *
 * Usage: node stand-worker.mjs <repository> <token> <issue|queue> <auto|person> [after|before|sent|effect <n> | look <remote>]
 */

import { join } from 'node:path'
import { drive } from '../../conductor/drive.ts'
import { runIssue } from '../../conductor/run.ts'
import { systemClock } from '../../core/clock.ts'
import type { HostedForge } from '../../core/contracts/forge.ts'
import { systemIds } from '../../core/ids.ts'
import { hostedPorts } from './hosted-ports.ts'
import { openLook } from './look.ts'

const [dir, token, what, merge, when, count] = process.argv.slice(2)
let left = Number(count ?? Number.POSITIVE_INFINITY)
const look = openLook([join(dir as string, '..'), count as string])
const strike = (at: string, what: string) => {
  // What the forge was told is in no file.
  process.stdout.write(`${at} ${what}${when === 'look' ? ` (${look(at === 'sent')})` : ''}\n`)
  if (when === at && --left === 0) process.kill(process.pid, 'SIGKILL')
}
const ask = globalThis.fetch
globalThis.fetch = async (input, init) => {
  const answer = await ask(input, init)
  const method = init?.method ?? 'GET'
  if (method !== 'GET') strike('sent', `${method} ${new URL(String(input)).pathname}`)
  return answer
}

const ids = systemIds(systemClock)
const { ports, close } = await hostedPorts(dir as string, process.env, token as string, {
  ids: {
    ulid: () => {
      strike('before', 'id')
      return ids.ulid()
    },
  },
  onEvent: (ticket, entry) => strike('after', `${ticket} ${entry.type}`),
  onProgress: (ticket, text) => process.stderr.write(`${ticket}: ${text}\n`),
})
const EFFECTS = ['openChange', 'updateChange', 'reportGates', 'merge', 'comment', 'dropIntent'] as const
const forge = ports.forge as HostedForge
const watched = { ...forge } as Record<string, unknown>
for (const name of EFFECTS) {
  watched[name] = async (...args: never[]) => {
    const done = await (forge[name] as (...args: never[]) => Promise<unknown>)(...args)
    strike('effect', name)
    return done
  }
}
const joined = { ...ports, forge: watched as unknown as HostedForge }
const policy = merge as 'auto' | 'person'
const outcome =
  what === 'queue'
    ? (await drive(joined, { once: true, merge: policy })).issues
    : await runIssue(joined, { issue: Number(what), merge: policy })
process.stdout.write(`${JSON.stringify(outcome)}\n`)
await close()
