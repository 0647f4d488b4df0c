import * as z from 'zod'
import { Digest, Mode, ObjectId, Role, Slug, Ulid } from './names.ts'

/** What a stored result can say. `missing` and `stale` are computed when results are looked up, never stored. */
export const VERDICTS = ['pass', 'fail', 'inconclusive', 'not-applicable', 'waived'] as const
export const Verdict = z.enum(VERDICTS)
export type Verdict = z.infer<typeof Verdict>
export type Standing = Verdict | 'missing' | 'stale'

export const STAGES = ['advance', 'pre-commit', 'commit-msg', 'pre-push', 'pull-request'] as const
export const Stage = z.enum(STAGES)
export type Stage = z.infer<typeof Stage>

/**
 * What a result is about, and so which digest it is keyed by: the root tree without tickets and issues
 * (`tree`), that plus the ticket's artifacts and metadata (`ticket`), merge-base and head root trees (`range`),
 * the index (`staged`, which counts as `tree` once committed), or things no digest stands for.
 */
export const SUBJECTS = ['tree', 'ticket', 'range', 'staged', 'session', 'human', 'external'] as const
export const SubjectKind = z.enum(SUBJECTS)
export type SubjectKind = z.infer<typeof SubjectKind>

/** A program and its arguments; never a shell string. */
export const Argv = z.array(z.string()).min(1)

/** Whose work makes a gate hold again that has failed, where it is not an agent's next attempt. */
export const Mender = z.literal('person')

export const MetricRule = z.strictObject({
  op: z.enum(['>=', '>', '<=', '<', '==']),
  value: z.number().optional(),
  /** A second number to compare with: a JSON file and a dotted path in it. */
  baseline: z.strictObject({ file: z.string(), path: z.string() }).optional(),
})

export const GateKind = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('command'),
    argv: Argv,
    cwd: z.string().optional(),
    okExit: z.array(z.int()).default([0]),
    /** Hosts it may reach from its jail, as `host` (port 443) or `host:port`; none unless told. */
    hosts: z.array(z.string()).optional(),
  }),
  z.strictObject({ type: z.literal('builtin'), name: Slug, options: z.record(z.string(), z.json()).default({}) }),
  z.strictObject({
    type: z.literal('artifact'),
    paths: z.array(z.string()).min(1),
    /** Front-matter keys that must be there and not empty. */
    schema: z.array(z.string()).default([]),
    /** Words of the author's own, template text and headings not counted. */
    minContent: z.int().min(0).default(20),
    /** Name of the deliverable's template, whose own text never counts. */
    template: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('metric'),
    file: z.string(),
    path: z.string(),
    rule: MetricRule,
    /** Dotted path, in the same file, of a list of sentences that say why the number is what it is. */
    reasons: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('human'),
    roles: z.array(Role).default([]),
    quorum: z.int().min(1).default(1),
    question: z.string(),
  }),
  z.strictObject({ type: z.literal('external'), check: z.string(), app: z.string().optional() }),
  z.strictObject({ type: z.literal('kofn'), k: z.int().min(0), of: z.array(Slug).min(1) }),
])
export type GateKind = z.infer<typeof GateKind>

export const GateSpec = z.strictObject({
  id: Slug,
  title: z.string().min(1),
  why: z.string().min(1),
  modes: z.array(Mode).default([]),
  stages: z.array(Stage).default(['advance', 'pull-request']),
  kind: GateKind,
  subject: SubjectKind,
  /** Path globs the gate looks at; empty means everything. */
  scope: z.strictObject({ include: z.array(z.string()).default([]), exclude: z.array(z.string()).default([]) }).default({
    include: [],
    exclude: [],
  }),
  /** Gates that must pass first; when one does not, this one is not run. */
  needs: z.array(Slug).default([]),
  timeoutMs: z.int().min(1).default(600_000),
  severity: z.enum(['block', 'warn']).default('block'),
  waiver: z
    .strictObject({ allowed: z.boolean(), roles: z.array(Role).default([]), maxDays: z.int().min(1).default(14) })
    .default({ allowed: true, roles: [], maxDays: 14 }),
  /**
   * `person` where a fail is mended by a person's word or hand only. An agent makes such a gate hold only by undoing its work,
   * which may be just what was wanted, so a person is asked before another attempt is spent.
   */
  mendedBy: Mender.optional(),
  cache: z.boolean().default(true),
  /** Commands whose output identifies the toolchain, part of a result's key. */
  versions: z.array(Argv).default([]),
})
export type GateSpec = z.infer<typeof GateSpec>
export type GateSpecInput = z.input<typeof GateSpec>

export const Finding = z.strictObject({
  rule: z.string(),
  severity: z.enum(['error', 'warning', 'notice']),
  message: z.string(),
  path: z.string().optional(),
  line: z.int().optional(),
  commit: ObjectId.optional(),
})
export type Finding = z.infer<typeof Finding>

/** One gate's answer on one subject. Times are milliseconds. */
export const GateResult = z.strictObject({
  id: Ulid,
  gate: Slug,
  /** Digest of the gate's specification. */
  spec: Digest,
  verdict: Verdict,
  /** Digest over specification, toolchain and all inputs; two results with one key are about the same thing. */
  key: Digest,
  subject: z.strictObject({ kind: SubjectKind, digest: z.string() }),
  severity: z.enum(['block', 'warn']),
  reasons: z.array(z.string()),
  findings: z.array(Finding).default([]),
  evidence: z
    .strictObject({
      exit: z.int().nullable().optional(),
      signal: z.string().optional(),
      durationMs: z.number().optional(),
      /** Whether the command ran in a jail; absent in older results and for gates that run none. */
      jailed: z.boolean().optional(),
      outputDigest: Digest.optional(),
      /** The last lines of the output, redacted, paths made relative. */
      outputTail: z.string().optional(),
      /** Repository path to SHA-256 of what was judged. */
      files: z.record(z.string(), Digest).optional(),
      value: z.number().optional(),
      toolchain: z.string().optional(),
    })
    .default({}),
  /** The result this one repeats, when it was not run again. */
  reusedFrom: Ulid.optional(),
  /** ISO 8601, UTC; until when a waived result counts. */
  expires: z.string().optional(),
  at: z.string(),
})
export type GateResult = z.infer<typeof GateResult>
