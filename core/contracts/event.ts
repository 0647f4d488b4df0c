import * as z from 'zod'
import { Finding, GateResult, Mender, Stage } from './gate.ts'
import { Intent } from './intent.ts'
import { ModelCall } from './model.ts'
import { Child, Digest, IssueNumber, Mode, ObjectId, Role, Slug, TicketId, Ulid } from './names.ts'

/**
 * Who an event is by. `agent` is anything that acts without a person, the conductor included;
 * `name` is a person's name as git or the forge knows it, only with `human`.
 */
export const Actor = z.strictObject({
  kind: z.enum(['human', 'agent']),
  role: Role,
  runtime: z.string().optional(),
  name: z.string().optional(),
})
export type Actor = z.infer<typeof Actor>

/** How a person's word reached us. */
export const Channel = z.enum(['terminal', 'review', 'comment', 'configuration'])

/** Where a person's word on a forge stands, and what its author could do there at that time. */
export const Via = z.strictObject({
  /** The forge's id of the comment or review. */
  id: z.string().min(1),
  login: z.string().min(1),
  permission: z.enum(['none', 'read', 'triage', 'write', 'maintain', 'admin']),
})
export type Via = z.infer<typeof Via>

/** The four moments at which a ticket can wait for its operator. */
export const MOMENTS = ['before-work', 'before-push', 'after-milestone', 'at-end'] as const
export const Moment = z.enum(MOMENTS)

/** Why a ticket waits; the text beside it is for people. */
export const WAIT_REASONS = [
  'agent-needed',
  'hand-off',
  'usage-limit',
  'approval',
  'check-in',
  'children',
  'held',
  'default-branch-dirty',
  'base-diverged',
  'remote-refused',
  'budget',
  'clash',
] as const
export const WaitReason = z.enum(WAIT_REASONS)

export const DecisionOutcome = z.enum(['advance', 'iterate', 'hold', 'recycle', 'block', 'kill'])
export type DecisionOutcome = z.infer<typeof DecisionOutcome>

/** One gate a phase asks, as the log fixes it when the phase is entered or the subject changes. */
export const RequiredGate = z.strictObject({
  gate: Slug,
  spec: Digest,
  severity: z.enum(['block', 'warn']),
  /** Set for the gate an item compiles to. */
  item: z.string().optional(),
  human: z.boolean().default(false),
  /** Set where a fail waits for a person instead of costing another attempt. */
  mendedBy: Mender.optional(),
})
export type RequiredGate = z.infer<typeof RequiredGate>

const usage = z.strictObject({ tokensIn: z.number(), tokensOut: z.number(), costUsd: z.number() })
const attempt = z.int().min(1)
const subject = ObjectId
const routed = z.array(z.strictObject({ id: z.string().min(1), propensity: z.number().min(0).max(1) })).min(1)

/** Data of every event type. Field meanings that the names do not say stand beside them. */
export const EVENT_DATA = {
  TICKET_OPENED: {
    ticket: TicketId,
    issue: z.strictObject({
      number: IssueNumber,
      title: z.string(),
      body: z.string(),
      digest: Digest,
      labels: z.array(z.string()),
    }),
    pipeline: Slug,
    stretch: z.array(Slug).min(1),
    base: ObjectId,
    /** Digest over pipeline, modes, roles, gates and configuration as they are at the base. */
    definitions: Digest,
    runtime: z.string(),
    epoch: z.int().min(1),
    /** The issue this one is a part of. */
    parent: IssueNumber.optional(),
    /** The delivered ticket of the same issue whose stretch came before. */
    after: TicketId.optional(),
    attempts: z.int().min(1),
  },
  SEGMENT_OPENED: { reason: z.enum(['resumed', 'taken-over', 'operator', 'continued']), epoch: z.int().min(1) },
  LINE_SET_ASIDE: { segment: Ulid, bytes: z.int(), digest: Digest, kept: z.string() },
  PHASE_ENTERED: {
    phase: Slug,
    mode: Mode,
    child: Child.optional(),
    role: Role,
    attempt,
    required: z.array(RequiredGate),
    /** The phase's items, and whether each is required. */
    items: z.array(z.strictObject({ item: z.string(), required: z.boolean() })).default([]),
    /** Whether a role works in this phase, or the conductor only judges and renders. */
    works: z.boolean(),
    /** Whether the phase opens child tickets and waits for them. */
    children: z.boolean().default(false),
  },
  /** Which agent, model or prompt was chosen, and the chance that each had: what later estimates rest on. */
  ROUTED: {
    /** Candidates with the chance of each at this choice; the chances sum to 1. */
    arms: routed,
    /** Id of the arm that was taken. */
    chosen: z.string().min(1),
    /** What the policy looked at, by name. */
    features: z.record(z.string(), z.number()),
    /** Name and version of the policy that chose, e.g. `router@3f2a…`; `configuration` where the configuration did. */
    policy: z.string().min(1),
    stage: z.enum(['shadow', 'canary', 'on']).default('on'),
    phase: Slug.optional(),
    attempt: attempt.optional(),
    /** A policy that did not choose, and the chance each candidate would have had by it. */
    watched: z.strictObject({ policy: z.string().min(1), arms: routed }).optional(),
    /** With stage `canary`: the policy on trial, whether it or the one before decided here, and its share of the issues. */
    canary: z
      .strictObject({ policy: z.string().min(1), lane: z.enum(['champion', 'challenger']), share: z.number().gt(0).lt(1) })
      .optional(),
  },
  BRIEFED: {
    phase: Slug,
    attempt,
    role: Role,
    runtime: z.string(),
    digest: Digest,
    bytes: z.int(),
    /** Files and earlier tickets that the brief tells of; absent in older sessions. */
    sources: z.array(z.strictObject({ source: z.string(), digest: Digest })).optional(),
  },
  TURN_STARTED: {
    turn: Ulid,
    phase: Slug,
    attempt,
    runtime: z.string(),
    from: ObjectId,
    /** Whether its programs were started in a jail; absent in older sessions and for runtimes that start none in one. */
    jailed: z.boolean().optional(),
  },
  TOOL_REFUSED: { turn: Ulid, tool: z.string(), reason: z.string() },
  /** Something an agent asked to have done outside its worktree, and what the policy said to it. */
  INTENT_STATED: {
    turn: Ulid,
    /** As it was stated; absent when it was no intent at all. */
    intent: Intent.optional(),
    allowed: z.boolean(),
    reasons: z.array(z.string()),
  },
  /** What became of an intent that was allowed. */
  INTENT_SETTLED: { intent: Ulid, done: z.boolean(), how: z.string() },
  TURN_ENDED: {
    turn: Ulid,
    outcome: z.enum(['completed', 'failed', 'timed-out', 'cancelled', 'limited', 'handed-off']),
    reason: z.string(),
    exit: z.int().nullable().optional(),
    signal: z.string().optional(),
    until: z.string().optional(),
    usage: usage.optional(),
    outputDigest: Digest.optional(),
    outputTail: z.string().optional(),
    decisions: z.array(z.string()).default([]),
    handOff: z.string().optional(),
    /** The runtime's own name for its session, by which a later turn may take it up. */
    session: z.string().max(200).optional(),
    /** Whether the usage is of a login's quota, as the agent counted it, and no money. */
    quota: z.boolean().optional(),
    /** Trailers for the commit of what this turn changed, beside those of the conductor. */
    trailers: z.record(z.string().regex(/^[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z]*)+$/), z.string().regex(/^[^\r\n]+$/)).optional(),
  },
  /** One call of a model, as the gateway metered it; budgets and costs are the fold of these. */
  MODEL_CALLED: ModelCall.shape,
  /** A turn whose end nobody saw; its leftovers are in the rescue ref and the turn is worked again. */
  TURN_INTERRUPTED: { turn: Ulid, rescue: z.string().optional() },
  /** Written before the commit is made; the event's id is the commit's `Valuetrain-Event` trailer. */
  WORK_INTENDED: { phase: Slug, attempt, turn: Ulid },
  WORK_COMMITTED: {
    intent: Ulid,
    commit: ObjectId,
    /** Root tree without tickets and issues. */
    subject,
    files: z.int(),
    added: z.int(),
    removed: z.int(),
    /** Hooks of the repository that were asked in the jail, and how often until they left the tree as it was. */
    hooks: z.strictObject({ names: z.array(z.string()), rounds: z.int().min(1) }).optional(),
  },
  WORK_UNCHANGED: { intent: Ulid, subject },
  ARTIFACT_WRITTEN: { path: z.string(), digest: Digest },
  GATE_JUDGED: { stage: Stage, phase: Slug, attempt, result: GateResult },
  ITEM_TICKED: { item: z.string(), phase: Slug, attempt, subject, result: Ulid },
  DECIDED: {
    phase: Slug,
    attempt,
    outcome: DecisionOutcome,
    /** Stable word for programs, e.g. `nothing-changed`, `gates-failed`, `three-strikes`. */
    code: Slug,
    reasons: z.array(z.string()),
    /** The phase to enter, for advance within the stretch and for recycle. */
    to: Slug.optional(),
    subject: subject.optional(),
  },
  CHECK_IN_ASKED: { moment: Moment, question: z.string(), options: z.array(z.string()).min(1), recommendation: z.string() },
  CHECK_IN_ANSWERED: { moment: Moment, option: z.string(), reason: z.string().optional(), channel: Channel },
  APPROVED: { gate: Slug, subject: z.string(), channel: Channel, reason: z.string().optional() },
  OVERRIDDEN: { gate: Slug, subject: z.string(), channel: Channel, reason: z.string().min(1), expires: z.string().optional() },
  WAITING_BEGUN: {
    reason: WaitReason,
    on: z.string(),
    until: z.string().optional(),
    /** With `budget`: US dollars that have to be free before it goes on. */
    needsUsd: z.number().optional(),
  },
  WAITING_ENDED: { reason: WaitReason, by: z.string() },
  PAUSED: { reason: z.string().optional() },
  RESUMED: { reason: z.string().optional() },
  ABORTED: { reason: z.string().min(1) },
  CHILD_INTENDED: { key: z.string(), title: z.string() },
  CHILD_OPENED: { key: z.string(), issue: IssueNumber },
  CHILD_DONE: { issue: IssueNumber, ticket: TicketId },
  CHILDREN_SETTLED: { issues: z.array(IssueNumber) },
  RESCUED: { ref: z.string(), why: z.string(), files: z.int(), ignored: z.array(z.string()) },
  ROLLED_BACK: {
    /** The entry whose state is restored. */
    to: Ulid,
    checkpoint: z.string(),
    restored: z.array(z.string()),
    deleted: z.array(z.string()),
    reason: z.string(),
  },
  REDACTED: { entry: Ulid, reason: z.string().min(1) },
  COMMENTED: { text: z.string() },
  FOUND: { finding: Finding },
  /** The last entry a branch carries. `merge` is the root tree of the judged merge result without tickets and issues. */
  DELIVERED: {
    base: ObjectId,
    head: ObjectId,
    merge: subject,
    verdicts: z.array(
      z.strictObject({ gate: Slug, verdict: z.enum(['pass', 'fail', 'inconclusive', 'not-applicable', 'waived']), key: Digest }),
    ),
  },
  /** Written before a change is opened on a forge of another machine; it is found again by its head branch. */
  CHANGE_INTENDED: { branch: z.string(), base: z.string() },
  /** The forge's own name of the change, and who is asked to review it. */
  CHANGE_OPENED: { change: z.string(), reviewers: z.array(z.string()).default([]) },
  /** People or checks on the forge sent a delivered change back; their words are data. */
  CHANGE_RETURNED: {
    change: z.string(),
    feedback: z
      .array(
        z.strictObject({
          from: z.enum(['review', 'check']),
          /** What tells it from others: the review's id, or the check's name and commit. */
          id: z.string(),
          /** Login of the reviewer, or name of the check. */
          name: z.string(),
          text: z.string(),
        }),
      )
      .min(1),
  },
  /** A person closed the change without merging it. */
  CHANGE_CLOSED: { change: z.string(), reason: z.string() },
  /** `delivery` judges the merge result again, `work` begins the stretch again. */
  REOPENED: { reason: z.string(), to: z.enum(['delivery', 'work']).default('work'), findings: z.array(Finding).default([]) },
} as const

export type EventType = keyof typeof EVENT_DATA
export const EVENT_TYPES = Object.keys(EVENT_DATA) as EventType[]

/** Fields every event's data has: who it is by, the entry it corrects, if any, and the words on a forge it answers. */
const common = { actor: Actor, supersedes: Ulid.optional(), via: Via.optional() } as const

type Fields<T extends EventType> = (typeof EVENT_DATA)[T] extends infer F extends z.core.$ZodShape ? F : never
type Shape<T extends EventType> = z.ZodObject<Fields<T> & typeof common, z.core.$loose>

/** Schemas of the data by event type. Unknown fields are kept, so that a newer writer's events survive us. */
export const EVENT_SCHEMAS = Object.fromEntries(
  EVENT_TYPES.map((type) => [type, z.looseObject({ ...EVENT_DATA[type], ...common })]),
) as unknown as { [T in EventType]: Shape<T> }

/** Typed by the fields that are known; the schema keeps the others at run time. */
type Known<T extends EventType> = z.ZodObject<Fields<T> & typeof common, z.core.$strip>

export type EventData<T extends EventType> = z.infer<Known<T>>
/** What a writer gives; defaults are filled in. */
export type EventInput<T extends EventType> = z.input<Known<T>>

/** One event as programs see it, data checked. */
export type TicketEvent = { [T in EventType]: { type: T; data: EventData<T> } }[EventType]

/**
 * One line of a session file. `hash` covers everything but `data` itself, whose digest it covers instead,
 * so that a redaction may blank the data (null, with `digest` kept) and the chain stays verifiable.
 */
export interface Entry<T extends EventType = EventType> {
  v: 1
  /** Position in its segment, from 0. */
  seq: number
  id: string
  /** ISO 8601, UTC. */
  ts: string
  type: T
  data: EventData<T> | null
  /** SHA-256 of the data's canonical JSON, only on a redacted entry. */
  digest?: string
  /** Hash of the entry before; of the segment's fixed front matter for the first. */
  prev: string
  hash: string
}

/** An entry with the segment it stands in. */
export type PlacedEntry = { [T in EventType]: Entry<T> & { segment: string } }[EventType]
