import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { PlacedEntry } from '../core/contracts/event.ts'
import type { Forge } from '../core/contracts/forge.ts'
import type { Issue } from '../core/contracts/issue.ts'
import type { ModeSpec, PhaseSpec, RoleSpec } from '../core/contracts/method.ts'
import type { Runtime, RuntimeEvent } from '../core/contracts/runtime.ts'
import type { Ids } from '../core/ids.ts'
import type { Repository } from '../core/repository.ts'

/** What a brief is made of; `agents/` renders it. */
export interface BriefParts {
  issue: { number: number; title: string; body: string; labels: readonly string[] }
  ticket: string
  phase: PhaseSpec
  mode: ModeSpec
  role: RoleSpec
  attempt: number
  /** Why the attempts before this one were not enough, newest last. */
  failures: readonly string[]
  /** Hand-off notes and decisions of earlier modes and comments of people. */
  notes: readonly string[]
  /** The repository's own instructions for agents, by file name. */
  instructions: Readonly<Record<string, string>>
}

/** Everything outside the conductor, handed in; `bin/wiring.ts` joins it. */
export interface Ports {
  repository: Repository
  forge: Forge
  runtimes: readonly Runtime[]
  clock: Clock
  ids: Ids
  env: NodeJS.ProcessEnv
  /** Aborts when the operator stops the program: turns are cancelled, the log is committed, leases are released. */
  signal: AbortSignal
  /** Orders the queue: ready issues first to last, and why the others were passed over. */
  select(
    issues: readonly Issue[],
    options: { labels: Config['labels']; claimed: ReadonlySet<number>; login?: string },
  ): { ready: Issue[]; passed: { number: number; why: string }[] }
  /** Chooses who works an issue, or says what the issue needs. */
  choose(
    issue: { number: number; labels: readonly string[] },
    options: { config: Config; override: string | undefined; runtimes: readonly Runtime[] },
  ): { runtime: Runtime } | { needs: string }
  brief(parts: BriefParts): string
  onEvent(ticket: string, entry: PlacedEntry): void
  onTurn(ticket: string, event: RuntimeEvent): void
  onProgress(ticket: string, text: string): void
}
