import type { Clock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { PlacedEntry } from '../core/contracts/event.ts'
import type { ExtensionJudge } from '../core/contracts/extension.ts'
import type { Finding, GateResult, GateSpec, Stage, Verdict } from '../core/contracts/gate.ts'
import type { Method } from '../core/contracts/method.ts'
import type { Ids } from '../core/ids.ts'
import type { Repository } from '../core/repository.ts'

/** Everything a gate may look at. Definitions (`config`, `method`) are the base's, never those the change brings. */
export interface JudgeContext {
  stage: Stage
  repository: Repository
  ticket?: string
  /** Branch the change is on, where the caller knows it. */
  branch?: string
  /** Commit the change is judged against; the range starts at its merge base with `head`. */
  base: string
  /** Commit that is judged; a tree for what is only staged. */
  head: string
  /** Message of the commit that is being made, with stage `commit-msg`. */
  message?: string
  /** Returns the folder of a clean, prepared, disposable checkout of `head`; each call cleans it anew. */
  checkout(): Promise<string>
  /** The ticket's session so far, flushed lines that are not committed yet included. */
  entries: readonly PlacedEntry[]
  config: Config
  method: Method
  /** Gates by id as `resolveGates` gives them; those of the configuration and the built-in ones unless told. */
  gates?: ReadonlyMap<string, GateSpec>
  /** Code of the gates that extensions bring, by gate id. */
  judges?: ReadonlyMap<string, ExtensionJudge> | undefined
  pipeline?: string
  phase?: string
  attempt?: number
  /** Variables that commands may get; only PATH, LANG and the names in `workspace.env` are passed on. */
  env: Readonly<Record<string, string>>
  /** Results that may be repeated where all inputs are the same, oldest first. */
  results: readonly GateResult[]
  clock: Clock
  ids: Ids
  /** Whether the operator said `--no-jail`; absent means no. */
  isJailWaived?: boolean
  signal?: AbortSignal
}

/** What a gate says; the judge makes a result of it. */
export interface Answer {
  verdict: Verdict
  reasons: string[]
  findings?: Finding[]
  evidence?: GateResult['evidence']
}

/** Returns a pass; `reason` says what was looked at. */
export function passed(reason: string, more: Partial<Answer> = {}): Answer {
  return { verdict: 'pass', reasons: [reason], ...more }
}

/** Returns a fail with its reasons. */
export function failed(reasons: string | string[], more: Partial<Answer> = {}): Answer {
  return { verdict: 'fail', reasons: Array.isArray(reasons) ? reasons : [reasons], ...more }
}

/** Returns that nothing could be found out, and why. */
export function inconclusive(reason: string, more: Partial<Answer> = {}): Answer {
  return { verdict: 'inconclusive', reasons: [reason], ...more }
}

/** Returns that the gate has nothing to say here, and why. */
export function notApplicable(reason: string): Answer {
  return { verdict: 'not-applicable', reasons: [reason] }
}

/**
 * Returns a fail that carries the findings when one of them is an error, else a pass.
 * Warnings and notices travel along either way.
 */
export function byFindings(findings: Finding[], clean: string): Answer {
  const errors = findings.filter(({ severity }) => severity === 'error')
  const shown = findings.slice(0, MOST_FINDINGS)
  if (errors.length === 0) return passed(clean, { findings: shown })
  const reasons = errors.slice(0, 5).map(({ message }) => message)
  if (errors.length > 5) reasons.push(`and ${errors.length - 5} more`)
  return failed(reasons, { findings: [...errors, ...findings.filter((one) => one.severity !== 'error')].slice(0, MOST_FINDINGS) })
}

/** More than this is noise, and a result is a line in a session. */
const MOST_FINDINGS = 50
