import type { ChangedPath } from '../tree.ts'
import type { Finding, GateSpec } from './gate.ts'
import type { FileReader } from './method.ts'
import type { Runtime } from './runtime.ts'

/** What a gate of a repository's own may look at: two trees and what differs between them, nothing of the machine. */
export interface ExtensionJudgeContext {
  /** Options of the gate's specification. */
  readonly options: Readonly<Record<string, unknown>>
  readonly ticket: string | undefined
  /** Files of the commit the change is compared with. */
  readonly base: FileReader
  /** Files of what is judged. */
  readonly head: FileReader
  changed(): Promise<readonly ChangedPath[]>
  readonly signal: AbortSignal | undefined
}

/** What such a gate says. Anything that is no clear yes must not be `pass`. */
export interface ExtensionAnswer {
  verdict: 'pass' | 'fail' | 'inconclusive' | 'not-applicable'
  /** Sentences for people; at least one. */
  reasons: string[]
  findings?: Finding[]
}

export type ExtensionJudge = (context: ExtensionJudgeContext) => Promise<ExtensionAnswer> | ExtensionAnswer

/** What the modules named in a configuration bring. */
export interface LoadedExtensions {
  gates: GateSpec[]
  runtimes: Runtime[]
  /** Code of the gates that bring their own, by gate id; such a gate's kind is `builtin` with that name. */
  judges?: ReadonlyMap<string, ExtensionJudge>
}
