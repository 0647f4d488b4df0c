import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { BriefSources } from '../core/contracts/brief.ts'
import type { EventInput, PlacedEntry } from '../core/contracts/event.ts'
import type { Forge } from '../core/contracts/forge.ts'
import type { Broker, BrokerFacts } from '../core/contracts/intent.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { ModeSpec, RoleSpec } from '../core/contracts/method.ts'
import type { ModelGateway } from '../core/contracts/model.ts'
import type { ChildState, ModeId } from '../core/contracts/names.ts'
import type { Runtime, RuntimeEvent } from '../core/contracts/runtime.ts'
import type { Ids } from '../core/ids.ts'
import type { Repository } from '../core/repository.ts'

/** What a brief is made of; `agents/` renders it. */
export interface BriefFacts {
  ticket: string
  issue: Pick<Issue, 'number' | 'title' | 'body' | 'labels'>
  pipeline: string
  phase: string
  mode: ModeSpec
  child: ChildState | undefined
  role: RoleSpec
  /** What the role may use here. */
  tools: readonly string[]
  attempt: number
  /** Attempts at this phase before the ticket is blocked. */
  attempts: number
  items: readonly { id: string; text: string; required: boolean; done: boolean }[]
  /** File names to write in the artifacts folder. */
  deliverables: readonly string[]
  /** Repository path of the artifacts folder. */
  artifacts: string
  /** Gates that will be asked, by id and title. */
  gates: readonly { id: string; title: string }[]
  /** What went wrong at the attempt before. */
  failures: readonly { gate: string; reasons: readonly string[]; outputTail?: string | undefined }[]
  /** What the phases before left for this one, and what people said. */
  handOff: string | undefined
  /** Files of the repository and earlier tickets that are told of. */
  sources: BriefSources
}

/** What an arm is chosen for. */
export interface RouteFacts {
  config: Config
  ticket: string
  issue: Pick<Issue, 'number' | 'title' | 'body' | 'labels'>
  phase: { name: string; mode: ModeId; child: ChildState | undefined }
  attempt: number
  /** Arms whose work on this phase was refused before. */
  refused: readonly string[]
}

/** A choice as the log keeps it; `chosen` is the label that would have named the arm. */
export type Route = Omit<EventInput<'ROUTED'>, 'actor' | 'phase' | 'attempt'>

/** Everything outside the conductor, handed in; `bin/wiring.ts` joins it. */
export interface Ports {
  repository: Repository
  forge: Forge
  runtimes: readonly Runtime[]
  clock: Clock
  ids: Ids
  env: NodeJS.ProcessEnv
  /** Whether the operator said `--no-jail`; absent means no. */
  isJailWaived?: boolean
  /** The policy over what the agents of one run ask for; without it they cannot ask for anything. */
  broker?: (facts: Omit<BrokerFacts, 'caps'>) => Broker
  /** What stands between runtimes that call models and the models; without it they get no key. */
  models?: ModelGateway
  /** Aborts when the operator stops the program: turns are cancelled, the log is committed, leases are released. */
  signal: AbortSignal
  /** Orders the queue: ready issues first to last, and why the others were passed over. */
  select(
    issues: readonly Issue[],
    options: { labels: Config['labels']; claimed: ReadonlySet<number>; underWay?: ReadonlySet<number>; login?: string },
  ): { ready: Issue[]; passed: { number: number; why: string }[] }
  /** Chooses who works an issue, or says what the issue needs. */
  choose(
    issue: { number: number; labels: readonly string[] },
    options: {
      config: Config
      override: string | undefined
      runtimes: readonly Runtime[]
      /** The phase that is due, for runtimes that work some phases only. */
      phase?: { name: string; mode: ModeId; child: ChildState | undefined }
    },
  ): { runtime: Runtime } | { needs: string }
  /**
   * Chooses an arm for an attempt at a phase, by the committed policy; undefined where nothing routes it. Without this
   * port nothing is ever routed.
   */
  route?(facts: RouteFacts): Promise<Route | undefined>
  brief(facts: BriefFacts): string
  onEvent(ticket: string, entry: PlacedEntry): void
  onTurn(ticket: string, event: RuntimeEvent): void
  onProgress(ticket: string, text: string): void
}
