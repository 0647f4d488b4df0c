import { picoOf, usdOf } from '../../core/money.ts'

/** The levels at which money is limited. */
export const LEVELS = ['run', 'ticket', 'day', 'project'] as const
export type Level = (typeof LEVELS)[number]

/** US dollars a level may cost; null does not limit it. */
export type Limits = Readonly<Record<Level, number | null>>

/** Who a cost is of. `day` is `YYYY-MM-DD` in UTC. */
export interface Payer {
  run: string
  ticket: string
  day: string
}

/** A cost of the past, out of the log. */
export interface Spent extends Payer {
  /** The call's id, by which a cost that two sources tell of is counted once. */
  call?: string
  /** Null where no price was known. */
  costUsd: number | null
}

export type Reservation =
  | { admitted: true; id: number }
  | { admitted: false; level: Level; limitUsd: number; freeUsd: number; why: 'too-little' | 'unknown-past' }

/** Reserves money before a call and settles what it came to, so that callers at the same time cannot overspend. */
export interface Ledger {
  /** Whether anything is limited. */
  readonly limited: boolean
  /**
   * Admits a call when its greatest cost fits every level that limits it. The answer is taken at once: nobody comes between.
   *
   * @param others what other programs have reserved and not settled yet
   */
  reserve(payer: Payer, pico: bigint, others?: readonly Held[]): Reservation
  /** Counts a cost that was paid elsewhere. */
  spend(payer: Payer, pico: bigint | undefined): void
  /**
   * Puts the cost in the place of the reservation; doing it again changes nothing.
   *
   * @param pico undefined when no price is known
   */
  settle(id: number, pico: bigint | undefined): void
  /** Returns what is left at the tightest level, in US dollars; undefined when nothing is limited. */
  freeUsd(payer: Payer, others?: readonly Held[]): number | undefined
}

/** Money that is reserved for a call under way. */
export interface Held {
  payer: Payer
  pico: bigint
}

interface Account {
  spent: bigint
  reserved: bigint
  /** Calls whose cost nobody knows: as long as there are any, nobody can say what is left. */
  unknown: number
}

/** Opens a ledger of limits over what the log says has been spent. */
export function openLedger(limits: Limits, past: readonly Spent[]): Ledger {
  const accounts = new Map<string, Account>()
  const open = new Map<number, { payer: Payer; pico: bigint }>()
  let count = 0
  const accountOf = (level: Level, payer: Payer): Account => {
    const key = level === 'project' ? level : `${level}:${payer[level]}`
    const account = accounts.get(key) ?? { spent: 0n, reserved: 0n, unknown: 0 }
    accounts.set(key, account)
    return account
  }
  const all = (payer: Payer) => LEVELS.map((level) => accountOf(level, payer))
  const spend = (account: Account, pico: bigint | undefined) => {
    if (pico === undefined) account.unknown += 1
    else account.spent += pico
  }
  for (const line of past) {
    for (const account of all(line)) spend(account, line.costUsd === null ? undefined : picoOf(line.costUsd))
  }
  const limitsOf = (payer: Payer, others: readonly Held[]) =>
    LEVELS.flatMap((level) => {
      const limitUsd = limits[level]
      if (limitUsd === null) return []
      const account = accountOf(level, payer)
      const same = others.filter((held) => level === 'project' || held.payer[level] === payer[level])
      const elsewhere = same.reduce((sum, held) => sum + held.pico, 0n)
      return [{ level, limitUsd, account, free: picoOf(limitUsd) - account.spent - account.reserved - elsewhere }]
    })
  return {
    limited: LEVELS.some((level) => limits[level] !== null),
    reserve(payer, pico, others = []) {
      for (const { level, limitUsd, account, free } of limitsOf(payer, others)) {
        const refusal = { admitted: false, level, limitUsd, freeUsd: usdOf(free < 0n ? 0n : free) } as const
        if (account.unknown > 0) return { ...refusal, why: 'unknown-past' }
        if (free < pico) return { ...refusal, why: 'too-little' }
      }
      for (const account of all(payer)) account.reserved += pico
      open.set(++count, { payer, pico })
      return { admitted: true, id: count }
    },
    settle(id, pico) {
      const reserved = open.get(id)
      if (reserved === undefined) return
      open.delete(id)
      for (const account of all(reserved.payer)) {
        account.reserved -= reserved.pico
        spend(account, pico)
      }
    },
    spend(payer, pico) {
      for (const account of all(payer)) spend(account, pico)
    },
    freeUsd(payer, others = []) {
      const rooms = limitsOf(payer, others).map(({ account, free }) => (account.unknown > 0 || free < 0n ? 0n : free))
      return rooms.length === 0 ? undefined : usdOf(rooms.reduce((least, room) => (room < least ? room : least)))
    },
  }
}
