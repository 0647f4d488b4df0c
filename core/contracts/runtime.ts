import type { Jail } from '../jail.ts'
import type { ModelAccess } from './model.ts'
import type { ChildState, ModeId, RoleId } from './names.ts'

/** Milliseconds; each limit stands alone, and a running tool is not silence. */
export interface TurnLimits {
  launchMs: number
  firstOutputMs: number
  silenceMs: number
  totalMs: number
  /** Bytes of output kept; the rest is counted and dropped. */
  outputBytes: number
  /** Calls of models, and tokens in and out, that one turn may take; the gateway counts them. */
  calls?: number
  tokens?: number | null
}

/** What a runtime is asked to do: one turn of one role in one mode of one ticket. */
export interface TurnRequest {
  turn: string
  ticket: string
  issue: number
  labels: readonly string[]
  phase: string
  mode: ModeId
  child: ChildState | undefined
  role: RoleId
  /** Tools the role may use in this mode; the runner refuses every other one. Absent means read and write. */
  tools?: readonly string[]
  attempt: number
  /** Markdown; issue text in it is fenced as data. */
  brief: string
  /** Absolute; the ticket's worktree. */
  cwd: string
  /** Absolute; the only part of `.valuetrain` an agent may write. */
  artifacts: string
  /** Commands of the recipe that the issue's label names, from the committed configuration. */
  recipe: { name: string; commands: readonly (readonly string[])[] } | undefined
  /** Only what the configuration lets through. */
  env: Readonly<Record<string, string>>
  limits: TurnLimits
  signal: AbortSignal
  /** Every program of the turn is started through it; absent where there is no jail. */
  jail?: Pick<Jail, 'wrap'>
  /** The metered way to models, for a runtime that `callsModels`; `env` names it, too. */
  models?: ModelAccess
  /** Absolute; a folder of the runtime's own outside the worktree, kept as long as the ticket. */
  home?: string
  /** What the runtime said was its session at an earlier turn of this phase, to be taken up where it can. */
  resume?: string
}

export type RuntimeEvent =
  | { type: 'started'; pid?: number }
  | { type: 'message'; text: string }
  | { type: 'thought'; text: string }
  | { type: 'plan'; steps: readonly string[] }
  /** `id` is the same from start to end; a tool that has started and not ended is running, and its agent not silent. */
  | { type: 'tool'; id?: string; name: string; summary: string; state: 'started' | 'done' | 'failed' }
  | { type: 'permission'; tool: string; allowed: boolean; reason: string }
  | { type: 'edit'; path: string }
  | { type: 'usage'; usage: Usage }
  | { type: 'output'; stream: 'stdout' | 'stderr'; text: string }

export interface Usage {
  tokensIn: number
  tokensOut: number
  costUsd: number
}

export type TurnOutcome =
  | 'completed'
  | 'failed'
  | 'timed-out'
  | 'cancelled'
  /** A usage limit: parks the ticket until `until` and costs no attempt. */
  | 'limited'
  /** Somebody else has to act first, e.g. a person; costs no attempt. */
  | 'handed-off'

export interface TurnResult {
  outcome: TurnOutcome
  /** One sentence for people. */
  reason: string
  exit?: number | null
  signal?: string
  /** ISO 8601, with `limited`. */
  until?: string
  usage?: Usage
  /** Whether the usage is of a login's quota, which is no money. */
  quota?: boolean
  /** The runtime's own name for its session, by which a later turn may take it up. */
  session?: string
  /** SHA-256 of everything printed, and the last lines of it. */
  outputDigest?: string
  outputTail?: string
  decisions?: readonly string[]
  handOff?: string
  /** Trailers for the commit of what the turn changed, e.g. `Valuetrain-Run`. */
  trailers?: Readonly<Record<string, string>>
}

/** One way to work a role: an agent, a list of commands, a person. */
export interface Runtime {
  readonly id: string
  readonly title: string
  /** Whether it starts its programs through the jail of a turn; absent means no. */
  readonly usesJail?: boolean
  /** Hosts it has to reach from a jail, as `host` or `host:port`. */
  readonly hosts?: readonly string[]
  /** Whether its turns call models, and so get a key and an address from the gateway. */
  readonly callsModels?: boolean
  /** Tells whether it can work here, before anything is spent. */
  probe(): Promise<{ ready: boolean; why: string }>
  /** Tells whether it can take this issue; `why` says what the issue needs when not. */
  accepts(
    issue: { number: number; labels: readonly string[] },
    recipes: Readonly<Record<string, unknown>>,
  ): {
    accepted: boolean
    why: string
  }
  /**
   * Returns what the next turn would take, as a question for a person who has to say yes before anything of it is spent.
   * Absent or undefined: nobody is asked.
   */
  plan?(request: PlanRequest): Promise<string | undefined>
  turn(request: TurnRequest, onEvent: (event: RuntimeEvent) => void): Promise<TurnResult>
}

/** What of a turn is known before its brief. */
export type PlanRequest = Pick<TurnRequest, 'ticket' | 'phase' | 'mode' | 'child' | 'attempt' | 'cwd' | 'env' | 'signal'>
