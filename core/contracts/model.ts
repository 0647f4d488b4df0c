import * as z from 'zod'
import { Digest, Mode, Role, Slug, TicketId, Ulid } from './names.ts'

const tokens = z.int().min(0)

/** Tokens of one call, each counted once: `input` is what was neither read from a cache nor written to one. */
export const TokenCounts = z.strictObject({
  input: tokens,
  output: tokens,
  cacheRead: tokens,
  /** Kept for the provider's usual time; `cacheWriteLong` for its longer one, at another price. */
  cacheWrite: tokens,
  cacheWriteLong: tokens,
  /** Part of `output` that the model thought and nobody was shown. */
  reasoning: tokens,
})
export type TokenCounts = z.infer<typeof TokenCounts>

/** Who a call is made for. Every field is asked for: a call without them would be a cost of nobody. */
export const CallTags = z.strictObject({
  ticket: TicketId,
  turn: Ulid,
  phase: Slug,
  mode: Mode,
  role: Role,
  runtime: z.string().min(1),
  epoch: z.int().min(1),
})
export type CallTags = z.infer<typeof CallTags>

/** One call of a model as the gateway saw it. */
export const ModelCall = z.strictObject({
  ...CallTags.shape,
  call: Ulid,
  provider: z.string(),
  dialect: z.string(),
  model: z.string(),
  /** HTTP status of the provider; 0 when none came. */
  status: z.int().min(0),
  /** `aborted` by the agent, `cut` by the provider, `limited` by its usage limit, `refused` by us before it was sent. */
  outcome: z.enum(['ok', 'failed', 'aborted', 'cut', 'limited', 'refused']),
  reason: z.string().optional(),
  streaming: z.boolean(),
  tokens: TokenCounts,
  /** Whether the provider said the final count, a part of it, or nothing. */
  reported: z.enum(['all', 'part', 'nothing']),
  startedAt: z.string(),
  durationMs: z.int().min(0),
  /** Digest of the price book. */
  prices: Digest,
  /** Null where no price is known; never zero for that reason. */
  costUsd: z.number().min(0).nullable(),
  /** The cost is the most it can have been, since the provider did not say the count. */
  estimated: z.boolean(),
})
export type ModelCall = z.infer<typeof ModelCall>

/** How a run reaches models: a key that ends with the run, and where to call. */
export interface ModelAccess {
  /** `http://127.0.0.1:<port>`, without a path. */
  url: string
  key: string
  /** The same as the environment variables that agents read. */
  env: Readonly<Record<string, string>>
}

/** Why a run may call no more. */
export interface ModelStop {
  /** `run-budget`, `run-limit`: this run's own share of money, or of calls and tokens, is used up; a further run begins with a new one. */
  kind: 'budget' | 'run-budget' | 'run-limit' | 'usage-limit'
  reason: string
  /** ISO 8601; when it may go on by itself. */
  until?: string
  /** With `budget`: what has to be free for the call that did not fit. */
  needsUsd?: number
}

/** One turn's way to models. */
export interface ModelRun {
  readonly access: ModelAccess
  /** Aborts when there is no use in going on. A call that was refused for its price alone leaves the others be. */
  readonly signal: AbortSignal
  readonly stopped: ModelStop | undefined
  /** What was metered so far; undefined before the first call, and where the cost of one is not known. */
  readonly usage: { tokensIn: number; tokensOut: number; costUsd: number } | undefined
  /**
   * Voids the key and waits until the calls under way are counted and recorded.
   *
   * @throws what `onCall` threw, if it did
   */
  close(): Promise<void>
}

/** What stands between agents and models. */
export interface ModelGateway {
  /**
   * Opens a run.
   *
   * @param onCall is awaited before the agent sees the end of an answer
   * @throws VT_COST_UNTAGGED when a tag is missing
   */
  open(tags: CallTags, onCall: (call: ModelCall) => Promise<void>): Promise<ModelRun>
  /** Returns what a further run of the ticket could spend; undefined without budgets. */
  freeUsd(ticket: string): Promise<number | undefined>
  close(): Promise<void>
}
