import * as z from 'zod'

const line = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'is one line')
const text = z.string().min(1).max(60_000)

/** What an agent may ask for. It states what it wants; whether and by whom it is done is not its to say. */
export const Intent = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('commit'), message: text, paths: z.array(z.string().min(1)).min(1).max(5_000) }),
  z.strictObject({ kind: z.literal('push'), branch: z.string() }),
  z.strictObject({ kind: z.literal('comment'), issue: z.int().min(1), text }),
  z.strictObject({
    kind: z.literal('label'),
    issue: z.int().min(1),
    add: z.array(line).default([]),
    remove: z.array(line).default([]),
  }),
  z.strictObject({ kind: z.literal('open-pull-request'), branch: z.string(), title: line, body: text }),
  z.strictObject({ kind: z.literal('ask'), question: text, options: z.array(line).max(10).default([]) }),
])
export type Intent = z.infer<typeof Intent>
export type IntentKind = Intent['kind']

/** Intents of each kind that one run gets through. */
export type Caps = Readonly<Record<IntentKind, number>>

/** What the policy knows of the run that asks. */
export interface BrokerFacts {
  /** The ticket's issue and branch: the only ones an agent may speak for. */
  issue: number
  branch: string
  /** Tools the role may use in this mode; `git` for commits and pushes, `forge` for the rest. */
  tools: readonly string[]
  /** Globs of paths that take an approval, and those approved. */
  protected: readonly string[]
  approved: readonly string[]
  /** The one folder of `.valuetrain` that is the agent's, from the root. */
  artifacts: string
  /** Labels that steer the work; an agent may not give or take them. */
  steering: readonly string[]
  caps: Caps
}

/** What the policy says to an intent. Reasons are for people and for the agent alike. */
export type Ruling = { allowed: true } | { allowed: false; reasons: string[] }

/** Judges the intents of one run, and counts what it let through. */
export interface Broker {
  judge(intent: Intent): Ruling
  /** What was let through so far. */
  readonly used: Readonly<Record<IntentKind, number>>
}
