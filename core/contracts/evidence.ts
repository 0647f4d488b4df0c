import * as z from 'zod'
import { Stage, Verdict } from './gate.ts'
import { Digest, ObjectId, Slug } from './names.ts'

/** A gate that was left out where it would have been asked. Nobody leaves one out without saying who, why and until when. */
export const Skip = z.strictObject({
  gate: Slug,
  reason: z.string().trim().min(1),
  /** A person's name as git knows it. */
  by: z.string().trim().min(1),
  /** ISO 8601, UTC. */
  expires: z.iso.datetime(),
})
export type Skip = z.infer<typeof Skip>

/** What one gate said, as much of its result as is needed to know that it was asked. */
export const JudgedGate = z.strictObject({
  gate: Slug,
  verdict: Verdict,
  /** Digest of the gate's specification; absent for a built-in gate whose specification is the program's own. */
  spec: Digest.optional(),
  /** Digest over specification, toolchain and inputs; equal keys are about the same thing. */
  key: Digest.optional(),
})
export type JudgedGate = z.infer<typeof JudgedGate>

/** One record of an evidence ref: gates that were asked of one tree, outside any session or on their way to others. */
export const EvidenceRecord = z.strictObject({
  v: z.literal(1),
  by: z.enum(['hook', 'conductor', 'ci']),
  stage: Stage,
  /** Root tree without tickets and issues; for a hook, that of the index. */
  tree: ObjectId,
  results: z.array(JudgedGate),
  skips: z.array(Skip).default([]),
  at: z.iso.datetime(),
})
export type EvidenceRecord = z.infer<typeof EvidenceRecord>
/** What a writer gives. */
export type EvidenceInput = z.input<typeof EvidenceRecord>
