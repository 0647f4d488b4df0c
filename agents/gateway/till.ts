import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import type { Clock } from '../../core/clock.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { writeAtomically } from '../../core/files.ts'
import { fateOf, type ProcessIdentity } from '../../core/identity.ts'
import { ownIdentity, withLock } from '../../core/lock.ts'
import { type Held, type Limits, openLedger, type Payer, type Reservation, type Spent } from './budget.ts'

/** A ledger that calls of several programs are held against. */
export interface Till {
  readonly limited: boolean
  /** Admits a call when its greatest cost fits. @param call the call's id */
  reserve(call: string, payer: Payer, pico: bigint): Promise<Reservation>
  /** Puts the cost in the place of the reservation. @param pico undefined when no price is known */
  settle(call: string, id: number, pico: bigint | undefined): Promise<void>
  freeUsd(payer: Payer): Promise<number | undefined>
}

const payer = z.strictObject({ run: z.string(), ticket: z.string(), day: z.string() })
const amount = z.string().regex(/^\d+$/)
const identity = z.looseObject({ pid: z.int() })

/** What programs tell one another: calls under way, costs that may not stand in everybody's log yet, and who reads. */
const TillFile = z.strictObject({
  version: z.literal(1),
  open: z.array(z.strictObject({ call: z.string(), holder: identity, payer, pico: amount })),
  /** `pico` is null where no price is known. */
  settled: z.array(z.strictObject({ call: z.string(), at: z.number(), payer, pico: amount.nullable() })),
  /** Programs that have taken over every settled cost up to a time. */
  readers: z.array(z.strictObject({ holder: identity, at: z.number() })),
})
type TillFile = z.infer<typeof TillFile>

/** Returns the till of a program that nobody shares money with. */
export function ownTill(limits: Limits, past: readonly Spent[]): Till {
  const ledger = openLedger(limits, past)
  return {
    limited: ledger.limited,
    reserve: async (_, who, pico) => ledger.reserve(who, pico),
    settle: async (_, id, pico) => ledger.settle(id, pico),
    freeUsd: async (who) => ledger.freeUsd(who),
  }
}

/**
 * Opens the till that all programs of one clone share: a file under a lock. Each program folds the log once, and from the
 * file it learns what the others have reserved and paid since. The reservation of a program that is gone counts as
 * paid in full: nobody knows what the provider did for it.
 *
 * @param file absolute; made when missing
 * @param past what the log says; read once, after this program has made itself known
 * @throws VT_BUDGET_FILE when the file is not one of ours
 */
export async function sharedTill(
  limits: Limits,
  past: () => Promise<readonly Spent[]>,
  { file, clock }: { file: string; clock: Clock },
): Promise<Till> {
  const own = await ownIdentity()
  // Callers of this program wait for one another here, and only one at a time for other programs.
  let turn: Promise<unknown> = Promise.resolve()
  const alone = <T>(work: (state: TillFile) => T | Promise<T>): Promise<T> => {
    const mine = turn.then(() =>
      withLock(
        `${file}.lock`,
        async () => {
          const state = await readTill(file)
          const before = JSON.stringify(state)
          const result = await work(state)
          if (JSON.stringify(state) !== before) await writeAtomically(file, JSON.stringify(state))
          return result
        },
        { waitMs: 60_000, clock },
      ),
    )
    turn = mine.catch(() => {})
    return mine
  }
  const known = await alone((state) => {
    state.readers.push({ holder: { ...own }, at: clock.now() })
    return [...state.settled]
  })
  const logged = await past()
  const seen = new Set(logged.flatMap(({ call }) => (call === undefined ? [] : [call])))
  const inLog = new Set(seen)
  const ledger = openLedger(limits, logged)
  const takeOver = (settled: TillFile['settled']) => {
    for (const { call, payer: who, pico } of settled) {
      if (seen.has(call)) continue
      seen.add(call)
      ledger.spend(who, pico === null ? undefined : BigInt(pico))
    }
  }
  takeOver(known)
  /** Brings this program up to date, and the file in order. Returns what others hold. */
  const catchUp = async (state: TillFile): Promise<Held[]> => {
    await endTheGone(state, clock)
    takeOver(state.settled)
    for (const reader of state.readers) if (isOwn(reader.holder, own)) reader.at = clock.now()
    const oldest = Math.min(...state.readers.map(({ at }) => at))
    state.settled = state.settled.filter(({ call, at }) => at >= oldest || !inLog.has(call))
    return state.open
      .filter(({ holder }) => !isOwn(holder, own))
      .map(({ payer: who, pico }) => ({ payer: who, pico: BigInt(pico) }))
  }
  return {
    limited: ledger.limited,
    reserve: (call, who, pico) =>
      alone(async (state) => {
        const reservation = ledger.reserve(who, pico, await catchUp(state))
        if (reservation.admitted) state.open.push({ call, holder: { ...own }, payer: who, pico: String(pico) })
        return reservation
      }),
    settle: (call, id, pico) =>
      alone((state) => {
        const held = state.open.find((one) => one.call === call)
        if (held === undefined) return
        ledger.settle(id, pico)
        seen.add(call)
        state.open = state.open.filter((one) => one !== held)
        state.settled.push({ call, at: clock.now(), payer: held.payer, pico: pico === undefined ? null : String(pico) })
      }),
    freeUsd: (who) => alone(async (state) => ledger.freeUsd(who, await catchUp(state))),
  }
}

function isOwn(holder: { pid: number }, own: ProcessIdentity): boolean {
  return JSON.stringify(holder) === JSON.stringify({ ...own })
}

/** Counts what programs that are gone had under way as paid, and forgets them as readers. */
async function endTheGone(state: TillFile, clock: Clock): Promise<void> {
  const isGone = async (holder: object) => (await fateOf(holder as ProcessIdentity)) === 'gone'
  for (const held of [...state.open]) {
    if (!(await isGone(held.holder))) continue
    state.open = state.open.filter((one) => one !== held)
    state.settled.push({ call: held.call, at: clock.now(), payer: held.payer, pico: held.pico })
  }
  const gone = await Promise.all(state.readers.map(({ holder }) => isGone(holder)))
  state.readers = state.readers.filter((_, index) => !gone[index])
}

async function readTill(file: string): Promise<TillFile> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return { version: 1, open: [], settled: [], readers: [] }
  try {
    return TillFile.parse(JSON.parse(text))
  } catch (cause) {
    throw new ValuetrainError('VT_BUDGET_FILE', `${file} is not what programs of valuetrain write into it`, {
      kind: 'environment',
      hint: 'move it away while nothing of valuetrain runs here; what is in the log is counted all the same',
      cause,
    })
  }
}
