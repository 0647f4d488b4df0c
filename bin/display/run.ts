import type { PlacedEntry } from '../../core/contracts/event.ts'
import type { RuntimeEvent } from '../../core/contracts/runtime.ts'
import type { Context } from '../context.ts'
import { tellEvent } from './event.ts'
import { type Paint, paintFor } from './paint.ts'
import { clean, duration, shorten, widthOf } from './text.ts'

/** Shows work while it happens. One interface serves terminal, plain log, programs and tests. */
export interface RunDisplay {
  /** An event was written to a ticket's session. */
  event(ticket: string, entry: PlacedEntry): void
  /** Something moved inside a turn; nothing of it is kept. */
  turn(ticket: string, event: RuntimeEvent): void
  /** What goes on between events. */
  progress(ticket: string, text: string): void
  /** Says one line of its own, above what is live. */
  say(text: string): void
  /** Ends what is live. Nothing is shown after it. */
  close(): void
}

/** Returns the display that fits: JSON lines when asked, a live one on a terminal, plain lines elsewhere. */
export function runDisplay(context: Context, options: { json: boolean }): RunDisplay {
  if (options.json) return jsonDisplay(context)
  return context.interactive ? liveDisplay(context) : logDisplay(context)
}

/** One event a line, exactly as it stands in the session, with the ticket's name. */
export function jsonDisplay(context: Context): RunDisplay {
  return {
    event: (ticket, entry) => context.stdout.write(`${JSON.stringify({ ticket, ...entry })}\n`),
    turn: () => {},
    progress: () => {},
    say: () => {},
    close: () => {},
  }
}

/** One milestone a line, for logs and pipes; every event is in the session, and in `--json`. */
export function logDisplay(context: Context): RunDisplay {
  const paint = paintFor(context)
  const width = ticketWidth()
  return {
    event(ticket, entry) {
      if (tellEvent(entry).weight === 'milestone') context.stdout.write(`${eventLine(ticket, entry, width(ticket), paint)}\n`)
    },
    turn: () => {},
    progress: () => {},
    say: (text) => context.stdout.write(`${text}\n`),
    close: () => {},
  }
}

/** Milestones as lines that stay, and below them one live line a ticket: what it does, and for how long. */
export function liveDisplay(context: Context): RunDisplay {
  const paint = paintFor(context)
  const width = ticketWidth()
  const live = new Map<string, Live>()
  let drawn = 0
  let closed = false
  const erase = () => {
    if (drawn > 0) context.stdout.write(`\u001b[${drawn}A\u001b[0J`)
    drawn = 0
  }
  const draw = () => {
    const now = context.clock.monotonic()
    const columns = context.stdout.columns ?? 80
    const lines = [...live].map(([ticket, state]) => liveLine(ticket, state, now, columns, paint))
    context.stdout.write(lines.map((line) => `${line}\n`).join(''))
    drawn = lines.length
  }
  const change = (line: string | undefined) => {
    if (closed) return
    erase()
    if (line !== undefined) context.stdout.write(`${line}\n`)
    draw()
  }
  const timer = setInterval(() => change(undefined), 250)
  timer.unref()
  return {
    event(ticket, entry) {
      follow(live, ticket, entry, context.clock.monotonic())
      change(tellEvent(entry).weight === 'milestone' ? eventLine(ticket, entry, width(ticket), paint) : undefined)
    },
    turn(ticket, event) {
      const doing = tellTurn(event)
      const state = live.get(ticket)
      if (doing !== undefined && state) state.doing = doing
    },
    progress(ticket, text) {
      const state = live.get(ticket) ?? { mode: '', doing: '', since: context.clock.monotonic() }
      live.set(ticket, { ...state, doing: clean(text) })
      change(undefined)
    },
    say: (text) => change(text),
    close() {
      clearInterval(timer)
      erase()
      closed = true
    },
  }
}

interface Live {
  mode: string
  doing: string
  /** Monotonic milliseconds at which the present mode was entered. */
  since: number
}

const ENDS = new Set(['DELIVERED', 'ABORTED', 'WAITING_BEGUN', 'PAUSED'])

function follow(live: Map<string, Live>, ticket: string, entry: PlacedEntry, now: number): void {
  if (ENDS.has(entry.type) || (entry.type === 'DECIDED' && (entry.data?.outcome === 'block' || entry.data?.outcome === 'kill'))) {
    live.delete(ticket)
    return
  }
  const state = live.get(ticket) ?? { mode: '', doing: '', since: now }
  if (entry.type === 'PHASE_ENTERED' && entry.data) {
    state.mode = entry.data.child ? `${entry.data.mode}.${entry.data.child}` : entry.data.mode
    state.since = now
  }
  state.doing = tellEvent(entry).text
  live.set(ticket, state)
}

function liveLine(ticket: string, state: Live, now: number, columns: number, paint: Paint): string {
  const head = `${ticket}  ${state.mode}`
  const time = duration(now - state.since)
  const doing = shorten(state.doing, Math.max(10, columns - widthOf(head) - widthOf(time) - 8))
  return `${paint.name('›')} ${paint.bold(ticket)}  ${paint.name(state.mode)}  ${doing}  ${paint.dim(time)}`
}

function eventLine(ticket: string, entry: PlacedEntry, width: number, paint: Paint): string {
  const { text, tone } = tellEvent(entry)
  const colored = tone === 'plain' ? text : paint[tone](text)
  return `${paint.dim(entry.ts.slice(11, 19))} ${paint.name(ticket.padEnd(width))}  ${colored}`
}

function tellTurn(event: RuntimeEvent): string | undefined {
  if (event.type === 'message') return clean(event.text)
  if (event.type === 'tool') return `${event.name}: ${clean(event.summary)}`
  if (event.type === 'edit') return `edits ${clean(event.path)}`
  if (event.type === 'output') return clean(event.text.trimEnd().split('\n').at(-1) ?? '')
  return undefined
}

/** Keeps the column as wide as the longest ticket's name so far. */
function ticketWidth(): (ticket: string) => number {
  let width = 8
  return (ticket) => {
    width = Math.max(width, ticket.length)
    return width
  }
}
