import { SimulatedClock } from '../../core/clock.ts'
import { type Config, parseConfig } from '../../core/config.ts'
import type { Actor, EventInput, EventType, PlacedEntry } from '../../core/contracts/event.ts'
import type { GateSpec } from '../../core/contracts/gate.ts'
import { countingIds } from '../../core/ids.ts'
import { openRepository } from '../../core/repository.ts'
import { readerAt, resolveCommit } from '../../core/tree.ts'
import { type JudgeContext, openCheckout, resolveGates } from '../../gates/index.ts'
import { loadMethod } from '../../modes/index.ts'
import { parseSegment, renderSegment, type Segment } from '../../sessions/index.ts'
import { CONDUCTOR, headerOf, segmentOf } from '../sessions/written.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

export const TICKET = 'build_42'
export const FOLDER = `.valuetrain/tickets/${TICKET}`
export const ARTIFACTS = `${FOLDER}/artifacts`

export type Events = readonly { type: EventType; data: EventInput<EventType> }[]

/** Returns an event by the conductor, or by whoever `data` names. */
export function event<T extends EventType>(type: T, data: Omit<EventInput<T>, 'actor'> & { actor?: Actor }) {
  return { type: type as EventType, data: { actor: CONDUCTOR, ...data } as unknown as EventInput<EventType> }
}

/** Returns a segment of the ticket with these events; the same events give the same segment. */
export function segmentWith(events: Events): Segment {
  const ids = countingIds()
  return segmentOf(headerOf({ ids }), events, ids)
}

/** Returns the events as a log has them. */
export function entriesOf(events: Events): PlacedEntry[] {
  const segment = segmentWith(events)
  return segment.entries.map((entry) => ({ ...entry, segment: segment.header.segment })) as PlacedEntry[]
}

/** Returns session files by path. */
export function sessionFiles(events: Events): Record<string, string> {
  const segment = segmentWith(events)
  return { [segment.file]: renderSegment(segment) }
}

export { parseSegment }

/** Returns what opens a ticket of the routine pipeline and enters its first phase. */
export function opening(...more: Events): Events {
  const digest = 'd'.repeat(64)
  const issue = { number: 42, title: 'Tidy up', body: '', digest, labels: [] }
  return [
    event('TICKET_OPENED', {
      ticket: TICKET,
      issue,
      pipeline: 'routine',
      stretch: ['build', 'evaluate', 'deliver'],
      base: 'b'.repeat(40),
      definitions: digest,
      runtime: 'recipe',
      epoch: 1,
      attempts: 3,
    }),
    event('PHASE_ENTERED', { phase: 'build', mode: 'build', role: 'studio', attempt: 1, required: [], works: true }),
    ...more,
  ]
}

/** A repository with a base commit and a ticket's branch that leaves from it. */
export interface Bench {
  repository: TestRepository
  base: string
  /** Commits on the ticket's branch, with the ticket's trailer. */
  work(files: Record<string, string>, message?: string): Promise<string>
  /** Returns the context that judges the branch as it is now. */
  context(more?: Partial<JudgeContext> & { yaml?: string }): Promise<JudgeContext>
}

export async function openBench(files: Record<string, string> = {}): Promise<Bench> {
  const repository = await makeRepository({ 'README.md': '# Example\n', 'src/main.mjs': 'export const answer = 41\n', ...files })
  const { git } = repository
  const base = (await resolveCommit(git, 'HEAD')) as string
  await git.run(['switch', '--quiet', '--create', `phase/${TICKET}`])
  const opened = await openRepository(repository.dir, repository.env)
  return {
    repository,
    base,
    work: (changes, message = `Change files\n\nValuetrain-Ticket: ${TICKET}\n`) => repository.commit(changes, message),
    async context(more = {}) {
      const { yaml = '', ...rest } = more
      const at = rest.base ?? base
      const config: Config = rest.config ?? parseConfig(yaml)
      const head = rest.head ?? ((await resolveCommit(git, 'HEAD')) as string)
      const env = Object.fromEntries(
        Object.entries(repository.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
      )
      return {
        stage: 'advance',
        repository: opened,
        ticket: TICKET,
        base: at,
        head,
        entries: [],
        config,
        method: await loadMethod(readerAt(git, at), config),
        env,
        results: [],
        clock: new SimulatedClock(),
        ids: countingIds(500),
        ...rest,
        checkout: rest.checkout ?? (async () => (await openCheckout(opened, config, head, env)).fresh()),
      }
    },
  }
}

/** Returns a gate of a context's configuration. */
export function gateOf(context: JudgeContext, id: string): GateSpec {
  const spec = resolveGates({ config: context.config }).get(id)
  if (!spec) throw new Error(`there is no gate ${id}`)
  return spec
}
