import type { Clock } from '../../core/clock.ts'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import type { GateResult, GateSpec } from '../../core/contracts/gate.ts'
import type { Ids } from '../../core/ids.ts'
import type { Repository } from '../../core/repository.ts'
import { judgeGates, openCheckout } from '../../gates/index.ts'
import type { Definitions } from '../definitions.ts'
import type { TicketState } from '../state.ts'

export interface CheckRequest {
  repository: Repository
  /** As the base has them. */
  definitions: Definitions
  /** Commits. */
  base: string
  head: string
  /** Branch the head is on, where that is known. */
  branch: string | undefined
  /** Ticket of that branch. */
  ticket: string | undefined
  /** Whether results that the session has for the very same question may be repeated. Never for what decides. */
  reuse: boolean
  env: Readonly<Record<string, string>>
  clock: Clock
  ids: Ids
  signal: AbortSignal
  onResult?: (result: GateResult) => void
}

/**
 * Judges gates on one commit in a clean checkout of it.
 *
 * @param own    the session of the branch's ticket, as the head has it
 * @param before results of this very check, on another commit, that may be repeated where the question is the same
 */
export async function judgePlace(
  request: CheckRequest,
  specs: readonly GateSpec[],
  own: { entries: readonly PlacedEntry[]; state: TicketState } | undefined,
  head: string,
  before: readonly GateResult[],
): Promise<GateResult[]> {
  const { repository, definitions, base, branch, ticket, env, clock, ids, signal, onResult } = request
  const { control, ledger } = own?.state ?? {}
  const known = request.reuse && ledger ? [...ledger.results.values()] : []
  let opened: ReturnType<typeof openCheckout> | undefined
  try {
    return await judgeGates(
      specs,
      {
        stage: 'pull-request',
        repository,
        base,
        head,
        ...(ticket === undefined ? {} : { ticket }),
        ...(branch === undefined ? {} : { branch }),
        checkout: async () => {
          opened ??= openCheckout(repository, definitions.config, head, env, { base })
          return (await opened).fresh()
        },
        entries: own?.entries ?? [],
        config: definitions.config,
        method: definitions.method,
        gates: definitions.gates,
        judges: definitions.extensions.judges,
        ...(ledger?.opened && control?.phase !== undefined
          ? { pipeline: ledger.opened.pipeline, phase: control.phase, attempt: control.attempt }
          : {}),
        env,
        results: [...known, ...before],
        clock,
        ids,
        signal,
      },
      onResult,
    )
  } finally {
    // A checkout that could not be opened has nothing to close; its error is already in the result.
    await opened?.then((checkout) => checkout.close()).catch(() => {})
  }
}
