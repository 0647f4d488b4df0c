import { sha256 } from '../../core/canonical.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import type { Runtime, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { resolveInside, writeAtomically } from '../../core/files.ts'
import { parseFrontMatter, renderFrontMatter } from '../../core/frontmatter.ts'
import { openGit } from '../../core/git.ts'
import { readerOf } from '../../core/tree.ts'
import { fingerprintOf } from './fingerprint.ts'

/** File in the artifacts folder in which a person finds what is wanted. */
export const HAND_OFF_FILE = 'hand-off.md'

/**
 * Returns the runtime that hands a turn to a person. The brief goes into the artifacts folder and the ticket waits. When the issue
 * is run again, the turn is complete if the person has changed something in the worktree since, committed or not, or has set
 * `state: done` in the hand-off; else it waits on.
 *
 * @param env environment that git starts from
 */
export function personRuntime({ env }: { env: NodeJS.ProcessEnv }): Runtime {
  return {
    id: 'person',
    title: 'a person, who works in the worktree by hand',
    probe: async () => ({ ready: true, why: 'built in' }),
    accepts: () => ({ accepted: true, why: 'a person can take any issue' }),
    async turn(request, onEvent) {
      const file = await resolveInside(request.artifacts, HAND_OFF_FILE)
      const own = [`${ticketFolder(request.ticket)}/`, ...OTHER_RECORDS]
      const now = await fingerprintOf(openGit(request.cwd, env), own, await artifactsOf(request))
      const handedOff = await readHandOff(request)
      if (handedOff === undefined) {
        await writeAtomically(file, handOffText(request, now))
        onEvent({ type: 'message', text: `handed to a person: ${HAND_OFF_FILE} in the ticket's artifacts says what is wanted` })
        return waiting(request, 'the ticket was handed to a person')
      }
      if (handedOff.state === 'done') return { outcome: 'completed', reason: 'the person says it is done' }
      if (handedOff.before !== now) return { outcome: 'completed', reason: 'the person has changed the worktree' }
      return waiting(request, 'the person has not changed anything in the worktree yet')
    },
  }
}

/** Issues are written in the main working tree and are not a person's work on this ticket. */
const OTHER_RECORDS = ['.valuetrain/issues/']

function handOffText(request: TurnRequest, before: string): string {
  const { ticket, phase, attempt } = request
  const note = [
    '',
    `> Work in this worktree, then run \`valuetrain run ${request.issue}\` again; it goes on when something has changed.`,
    '> When nothing had to change, set `state: done` above.',
    '',
    '',
  ].join('\n')
  return renderFrontMatter({ ticket, phase, attempt, state: 'waiting', before }, note + request.brief)
}

/** Returns what an earlier turn of the same attempt wrote; undefined when this is the first. */
async function readHandOff({ artifacts, phase, attempt }: TurnRequest): Promise<{ state: unknown; before: unknown } | undefined> {
  const text = await readerOf(artifacts).read(HAND_OFF_FILE)
  if (text === undefined) return undefined
  const { data } = parseFrontMatter(text, HAND_OFF_FILE)
  return data.phase === phase && data.attempt === attempt ? { state: data.state, before: data.before } : undefined
}

/** The deliverables a person writes count as work; the hand-off itself does not. */
async function artifactsOf({ artifacts }: TurnRequest): Promise<string> {
  const reader = readerOf(artifacts)
  const names = (await reader.list('.')).filter((name) => name !== HAND_OFF_FILE)
  const contents = await Promise.all(names.map(async (name) => `${name}\0${sha256((await reader.read(name)) ?? '')}`))
  return contents.join('\n')
}

function waiting({ ticket, issue }: TurnRequest, reason: string): TurnResult {
  return {
    outcome: 'handed-off',
    reason,
    handOff: [
      `read ${ticketFolder(ticket)}/artifacts/${HAND_OFF_FILE} in the worktree of ${ticket}`,
      `then go on with \`valuetrain run ${issue}\`, give it back with \`valuetrain ticket release ${issue}\`,`,
      `or end it with \`valuetrain abort ${issue}\``,
    ].join('\n'),
  }
}
