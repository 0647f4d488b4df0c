import * as z from 'zod'
import { Actor } from '../core/contracts/event.ts'
import { Digest, Mode, ObjectId, Slug, TicketId, Ulid } from '../core/contracts/names.ts'

const Parent = z.strictObject({ segment: Ulid, head: Digest })

/** The front matter's fixed fields. Fields a newer version adds are kept and covered by the digest. */
export const SegmentHeader = z.looseObject({
  schema: z.literal(1),
  session: Ulid,
  segment: Ulid,
  /** Heads of the segments this one continues; the first is the line it goes on from. */
  parents: z.array(Parent),
  ticket: TicketId,
  pipeline: Slug,
  phase: Slug,
  mode: Mode,
  actor: Actor,
  base: ObjectId,
  /** ISO 8601, UTC. */
  opened: z.string(),
  /** Lease epoch of the writer. */
  epoch: z.int().min(1),
})
export type SegmentHeader = z.infer<typeof SegmentHeader>

/** The fields set once when a segment is closed; all but `outcome` and `closed` can be derived again. */
export const SegmentClosing = z.strictObject({ closed: z.string(), events: z.int().min(0), head: Digest, outcome: z.string() })
export type SegmentClosing = z.infer<typeof SegmentClosing>
