import type { Clock } from '../../core/clock.ts'
import { type CallTags, ModelCall, type ModelStop } from '../../core/contracts/model.ts'
import type { Ids } from '../../core/ids.ts'
import { picoOf, usdOf } from '../../core/money.ts'
import type { Provider } from './dialects.ts'
import type { PriceBook } from './prices.ts'
import type { Till } from './till.ts'
import type { Upstream } from './upstream.ts'

/** What every call of a gateway needs. */
export interface Kit {
  readonly upstreams: Readonly<Record<Provider, Upstream>>
  readonly book: PriceBook
  readonly till: Till
  /** Calls and tokens of one run; undefined does not limit. */
  readonly most: { calls?: number; tokens?: number }
  readonly clock: Clock
  readonly ids: Ids
  /** How long an answer is read on after its agent has gone. */
  readonly drainMs: number
}

/** One turn's calls: whom they are for, what they came to, and whether more are let through. */
export class Run {
  readonly tags: CallTags
  readonly #onCall: (call: ModelCall) => Promise<void>
  readonly #controller = new AbortController()
  readonly #ending = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  #stopped: ModelStop | undefined
  #isOver = false
  #failure: unknown
  #calls = 0
  #crowded = 0
  #tokensIn = 0
  #tokensOut = 0
  #pico = 0n
  #unknown = 0

  constructor(tags: CallTags, onCall: (call: ModelCall) => Promise<void>) {
    this.tags = tags
    this.#onCall = onCall
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get stopped(): ModelStop | undefined {
    return this.#stopped
  }

  /** Aborts when answers are waited for no longer. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Whether its calls are passed on no more. */
  get isOver(): boolean {
    return this.#isOver || this.signal.aborted
  }

  /**
   * Tells why a run that goes on and on may call no more; undefined as long as it may.
   *
   * @param most calls and tokens, in and out, of one run
   */
  overrun({ calls, tokens }: { calls?: number; tokens?: number }): string | undefined {
    if (calls !== undefined && this.#calls >= calls) return `the ${calls} calls of models that one turn may make are used up`
    const taken = this.#tokensIn + this.#tokensOut
    if (tokens !== undefined && taken >= tokens) return `the ${tokens} tokens that one turn may take are used up (${taken} were)`
    return undefined
  }

  /** Counts refusals for crowding in a row; one that goes on is a limit, whatever its single answers say. */
  crowded(isCrowded: boolean): number {
    this.#crowded = isCrowded ? this.#crowded + 1 : 0
    return this.#crowded
  }

  get usage(): { tokensIn: number; tokensOut: number; costUsd: number } | undefined {
    if (this.#calls === 0 || this.#unknown > 0) return undefined
    return { tokensIn: this.#tokensIn, tokensOut: this.#tokensOut, costUsd: usdOf(this.#pico) }
  }

  /** Says why calls are refused from here on; `forGood` also ends the turn. */
  stop(stop: ModelStop, forGood: boolean): void {
    if (forGood || this.#stopped === undefined) this.#stopped = stop
    if (forGood) this.#controller.abort(new Error(stop.reason))
  }

  /** Adds a call to the sums and hands its line on. A line that cannot be written ends the run. */
  async record(line: ModelCall): Promise<void> {
    const call = ModelCall.parse(line)
    const { input, cacheRead, cacheWrite, cacheWriteLong, output } = call.tokens
    this.#calls += 1
    this.#tokensIn += input + cacheRead + cacheWrite + cacheWriteLong
    this.#tokensOut += output
    if (call.costUsd === null) this.#unknown += 1
    else this.#pico += picoOf(call.costUsd)
    try {
      await this.#onCall(call)
    } catch (error) {
      this.#failure ??= error
      this.#controller.abort(error)
    }
  }

  /** Keeps a call in mind until it is counted. */
  async during(work: Promise<void>): Promise<void> {
    this.#underWay.add(work)
    try {
      await work
    } finally {
      this.#underWay.delete(work)
    }
  }

  /** Lets no further call through, waits for those under way, and cuts them off when that takes too long. */
  async close(drainMs: number): Promise<void> {
    this.#isOver = true
    const timer = setTimeout(() => this.#ending.abort(), drainMs)
    await Promise.allSettled(this.#underWay)
    clearTimeout(timer)
    if (this.#failure !== undefined) throw this.#failure
  }
}
