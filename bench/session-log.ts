/**
 * S1: what it costs to verify and to load a session of 10,000 events, over the least that could be done with the same
 * lines: `JSON.parse` and SHA-256 of each. Verifying is the whole of `session verify` but for git: reading the files' text,
 * comparing the text for people, the chain, the order, the four answers. Loading ends with checked events in fold order.
 */
import { createHash } from 'node:crypto'
import { systemClock } from '../core/clock.ts'
import type { Actor, Entry, EventType } from '../core/contracts/event.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { type Ids, systemIds } from '../core/ids.ts'
import {
  headerDigest,
  headOf,
  loadSession,
  readSegments,
  renderSegment,
  type Segment,
  type SegmentHeader,
  sealEntry,
  segmentFile,
  verifySession,
} from '../sessions/index.ts'
import { type Benchmark, interleave, type Row, rowOf } from './measure.ts'

const EVENTS = 10_000
/** About what fits a segment before it counts as full. */
const A_SEGMENT = 250
const TICKET = 'build_1'
const ACTOR: Actor = { kind: 'agent', role: 'conductor' }

/** Runs the benchmark; `full` overrides the number of rounds. */
export async function run(options: { rounds: number; full: boolean; seed?: number }): Promise<Row[]> {
  const segments = makeLog(systemIds(systemClock))
  const files = new Map(segments.map((segment) => [segment.file, renderSegment(segment)]))
  const reader = readerOfMap(files)
  const lines = segments.flatMap(({ entries }) => entries).map((entry) => JSON.stringify(entry))
  const tip = segments.at(-1) as Segment
  const anchors = [{ segment: tip.header.segment, head: headOf(tip), commit: 'a'.repeat(40) }]

  const samples = await interleave(
    {
      floor: () =>
        cpuOf(() => {
          for (const line of lines) {
            JSON.parse(line)
            createHash('sha256').update(line).digest('hex')
          }
        }),
      verify: () =>
        cpuOf(async () => {
          const read = await readSegments(reader, TICKET)
          const answers = verifySession({ ticket: TICKET, ...read, anchors, replay: () => ({ refused: [] }) })
          require(answers.integrity === 'intact' && answers.completeness === 'complete', answers)
        }),
      load: () =>
        cpuOf(async () => {
          const session = await loadSession(reader, TICKET)
          require(session.entries.length === EVENTS && session.findings.length === 0, session.findings)
        }),
    },
    options.full ? 51 : options.rounds,
    options.seed ?? 1,
  )
  const { floor } = samples
  return [
    rowOf(`verify ${EVENTS} events`, 'ms CPU', samples.verify, { floor }),
    rowOf(`load ${EVENTS} events`, 'ms CPU', samples.load, { floor }),
  ]
}

const bench: Benchmark = ({ full, seed, note }) => {
  note(`${EVENTS} events in ${EVENTS / A_SEGMENT} segments, CPU time of this process`)
  return run({ rounds: 15, full, seed })
}
export default bench

async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

function require(holds: boolean, found: unknown): void {
  if (!holds) throw new Error(`the benchmark's own log does not hold: ${JSON.stringify(found).slice(0, 500)}`)
}

/** Returns a chain of segments with events as a run has them, judgements of gates above all: about 700 bytes each. */
function makeLog(ids: Ids): Segment[] {
  const segments: Segment[] = []
  const session = ids.ulid()
  for (let made = 0; made < EVENTS; made += A_SEGMENT) {
    const last = segments.at(-1)
    const header: SegmentHeader = {
      schema: 1,
      session,
      segment: ids.ulid(),
      parents: last ? [{ segment: last.header.segment, head: headOf(last) }] : [],
      ticket: TICKET,
      pipeline: 'routine',
      phase: 'build',
      mode: 'build',
      actor: ACTOR,
      base: 'b'.repeat(40),
      opened: new Date(systemClock.now()).toISOString(),
      epoch: 1,
    }
    const entries: Entry[] = []
    for (let seq = 0; seq < A_SEGMENT; seq++) {
      const prev = entries.at(-1)?.hash ?? headerDigest(header)
      const { type, data } = eventOf(seq, ids)
      const ts = new Date(systemClock.now()).toISOString()
      entries.push(sealEntry<EventType>({ seq, id: ids.ulid(), ts, type, data: data as never, prev }) as Entry)
    }
    segments.push({ header, entries, file: `${ticketFolder(TICKET)}/${segmentFile(header.segment)}`, findings: [] })
  }
  return segments
}

function eventOf(seq: number, ids: Ids): { type: EventType; data: object } {
  const digest = createHash('sha256').update(`${seq}`).digest('hex')
  const commit = digest.slice(0, 40)
  switch (seq % 5) {
    case 0:
      return {
        type: 'WORK_COMMITTED',
        data: { actor: ACTOR, intent: ids.ulid(), commit, subject: commit, files: 3, added: 40, removed: 2 },
      }
    case 1:
      return {
        type: 'DECIDED',
        data: {
          actor: ACTOR,
          phase: 'build',
          attempt: 1,
          outcome: 'iterate',
          code: 'gates-failed',
          reasons: ['unit tests fail'],
        },
      }
    default: {
      const result = {
        id: ids.ulid(),
        gate: 'unit-tests',
        spec: digest,
        verdict: 'fail',
        key: digest,
        subject: { kind: 'tree', digest: commit },
        severity: 'block',
        reasons: ['3 of 40 tests fail'],
        findings: [],
        evidence: { exit: 1, durationMs: 812, outputDigest: digest, outputTail: 'not ok 7 - reads an empty file\nnot ok 9' },
        at: '2026-01-01T00:00:00.000Z',
      }
      return { type: 'GATE_JUDGED', data: { actor: ACTOR, stage: 'advance', phase: 'build', attempt: 1, result } }
    }
  }
}

function readerOfMap(files: ReadonlyMap<string, string>): FileReader {
  const names = [...files.keys()].map((file) => file.slice(file.lastIndexOf('/') + 1))
  return { source: 'memory', read: async (path) => files.get(path), list: async () => names }
}
