import { and, assign, type SnapshotFrom, setup, stateIn } from 'xstate'
import type { RequiredGate, TicketEvent } from '../core/contracts/event.ts'
import type { GateResult } from '../core/contracts/gate.ts'
import { CHILD_STATES, type ChildState, MODES, type ModeId } from '../core/contracts/names.ts'
import { decide } from '../gates/decide.ts'
import { mayMove } from '../modes/table.ts'

/** Raised when states or events change meaning, so that cached snapshots are dropped and replayed. */
export const MACHINE_VERSION = 2

/** What can be due. The loop does exactly this one thing and appends what happened. */
export type Due = 'enter' | 'brief' | 'turn' | 'commit' | 'children' | 'render' | 'judge' | 'deliver' | 'merge'

/** The control data that guards read; what else an entry says is kept by the ledger in `state.ts`. */
export interface Control {
  /** Id of the last entry the machine took; an entry that leaves it as it was has been refused. */
  last: string
  stretch: readonly string[]
  /** Phase that is to be entered. */
  next: string | undefined
  phase: string | undefined
  mode: ModeId | undefined
  child: ChildState | undefined
  /** Present attempt at the phase, from 1. */
  attempt: number
  /** Attempts begun, by phase. */
  attempts: Readonly<Record<string, number>>
  /** Failed attempts since a person last resumed, by phase. */
  strikes: Readonly<Record<string, number>>
  attemptsAllowed: number
  works: boolean
  children: boolean
  required: readonly RequiredGate[]
  /** Latest result of each gate on what is judged now; emptied when that changes. */
  results: Readonly<Record<string, GateResult>>
  /** Subject tree after the last work commit. */
  subject: string | undefined
  turn: string | undefined
  intent: string | undefined
  /** Whether all phases are through and only the delivery is left. */
  delivering: boolean
}

/** A session entry as the machine takes it: type, data, and the id and time of its line. */
export type MachineEvent = TicketEvent & { id: string; at: string }
type EventOf<T extends TicketEvent['type']> = Extract<MachineEvent, { type: T }>

const BEGINNING: Control = {
  last: '',
  stretch: [],
  next: undefined,
  phase: undefined,
  mode: undefined,
  child: undefined,
  attempt: 1,
  attempts: {},
  strikes: {},
  attemptsAllowed: 3,
  works: false,
  children: false,
  required: [],
  results: {},
  subject: undefined,
  turn: undefined,
  intent: undefined,
  delivering: false,
}

/** The phase after the present one in the stretch, or undefined at its end. */
export function phaseAfter(control: Pick<Control, 'stretch' | 'phase'>): string | undefined {
  const index = control.stretch.indexOf(control.phase ?? '')
  return index < 0 ? undefined : control.stretch[index + 1]
}

/** Failed attempts that are left before the ticket is blocked, the present one included. */
export function attemptsLeft(control: Pick<Control, 'phase' | 'strikes' | 'attemptsAllowed'>): number {
  return control.attemptsAllowed - (control.strikes[control.phase ?? ''] ?? 0)
}

/** Where work goes on after a person has resumed a stopped ticket: the phase itself, or the first of the stretch. */
function phaseToResume(control: Control): string | undefined {
  return control.works ? control.phase : (control.stretch[0] ?? control.phase)
}

function struck(control: Control): Control['strikes'] {
  const phase = control.phase ?? ''
  return { ...control.strikes, [phase]: (control.strikes[phase] ?? 0) + 1 }
}

const machine = setup({
  types: { context: {} as Control, events: {} as MachineEvent },
  guards: {
    /** The phase is the one that is due and its mode is the present one or an allowed edge away. */
    mayEnter: ({ context, event }) =>
      event.type === 'PHASE_ENTERED' &&
      event.data.phase === context.next &&
      (context.mode === undefined || context.mode === event.data.mode || mayMove(context.mode, event.data.mode)),
    entersPosition: ({ event }, params: { mode: ModeId; child: ChildState | undefined }) =>
      event.type === 'PHASE_ENTERED' && event.data.mode === params.mode && event.data.child === params.child,
    entersToWork: ({ event }) => event.type === 'PHASE_ENTERED' && event.data.works,
    entersToRender: ({ event }) =>
      event.type === 'PHASE_ENTERED' && !event.data.works && event.data.required.some(({ gate }) => gate === 'summary'),
    rendersHere: ({ context }) => context.required.some(({ gate }) => gate === 'summary'),
    opensChildren: ({ context }) => context.children,
    isThisTurn: ({ context, event }) => 'turn' in event.data && event.data.turn === context.turn,
    isThisIntent: ({ context, event }) => 'intent' in event.data && event.data.intent === context.intent,
    isThisAttempt: ({ context, event }) =>
      'attempt' in event.data &&
      event.data.attempt === context.attempt &&
      'phase' in event.data &&
      event.data.phase === context.phase,
    turnCompleted: ({ event }) => event.type === 'TURN_ENDED' && event.data.outcome === 'completed',
    turnFailed: ({ event }) =>
      event.type === 'TURN_ENDED' && (event.data.outcome === 'failed' || event.data.outcome === 'timed-out'),
    /** Gates say yes: the same pure `decide` as everywhere, on the results that the log itself holds. */
    gatesSayYes: ({ context, event }) =>
      context.mode !== undefined &&
      decide(context.mode, context.required, Object.values(context.results), event.at, context.subject).allow,
    advancesWithin: ({ context, event }) =>
      event.type === 'DECIDED' &&
      event.data.outcome === 'advance' &&
      event.data.to !== undefined &&
      event.data.to === phaseAfter(context),
    advancesOut: ({ context, event }) =>
      event.type === 'DECIDED' &&
      event.data.outcome === 'advance' &&
      event.data.to === undefined &&
      phaseAfter(context) === undefined,
    iterates: ({ context, event }) =>
      event.type === 'DECIDED' && event.data.outcome === 'iterate' && context.works && attemptsLeft(context) > 1,
    recycles: ({ context, event }) =>
      event.type === 'DECIDED' &&
      event.data.outcome === 'recycle' &&
      event.data.to !== undefined &&
      context.stretch.includes(event.data.to) &&
      attemptsLeft(context) > 1,
    blocks: ({ event }) => event.type === 'DECIDED' && event.data.outcome === 'block',
    kills: ({ event }) => event.type === 'DECIDED' && event.data.outcome === 'kill',
    holds: ({ event }) => event.type === 'DECIDED' && event.data.outcome === 'hold',
    reopensDelivery: ({ event }) => event.type === 'REOPENED' && event.data.to === 'delivery',
    /** What came back counts as a failed attempt at the stretch, and this was the last. */
    returnsOnceTooOften: ({ context }) => (context.strikes[context.stretch[0] ?? ''] ?? 0) + 1 >= context.attemptsAllowed,
    wasDelivering: ({ context }) => context.delivering,
    hasPhase: ({ context }) => context.phase !== undefined,
  },
  actions: {
    take: assign({ last: ({ event }) => event.id }),
    open: assign(({ event }) => {
      const { data } = event as EventOf<'TICKET_OPENED'>
      return { stretch: data.stretch, next: data.stretch[0], attemptsAllowed: data.attempts }
    }),
    enter: assign(({ context, event }) => {
      const { data } = event as EventOf<'PHASE_ENTERED'>
      return {
        next: undefined,
        phase: data.phase,
        mode: data.mode,
        child: data.child,
        attempt: data.attempt,
        attempts: { ...context.attempts, [data.phase]: data.attempt },
        works: data.works,
        children: data.children,
        required: data.required,
        results: {},
        delivering: false,
      }
    }),
    beginTurn: assign(({ event }) => ({ turn: (event as EventOf<'TURN_STARTED'>).data.turn })),
    endTurn: assign({ turn: undefined }),
    intend: assign(({ event }) => ({ intent: event.id })),
    commit: assign(({ event }) => ({
      intent: undefined,
      subject: (event as EventOf<'WORK_COMMITTED'>).data.subject,
      results: {},
    })),
    judge: assign(({ context, event }) => {
      const { result } = (event as EventOf<'GATE_JUDGED'>).data
      return { results: { ...context.results, [result.gate]: result } }
    }),
    advance: assign(({ event }) => ({ next: (event as EventOf<'DECIDED'>).data.to })),
    finish: assign({ delivering: true, results: {} }),
    recycle: assign(({ context, event }) => ({
      next: (event as EventOf<'DECIDED'>).data.to,
      strikes: struck(context),
      turn: undefined,
      intent: undefined,
      delivering: false,
    })),
    iterate: assign(({ context }) => {
      const phase = context.phase ?? ''
      const attempt = context.attempt + 1
      const attempts = { ...context.attempts, [phase]: attempt }
      return { attempt, attempts, strikes: struck(context), turn: undefined, intent: undefined }
    }),
    strike: assign(({ context }) => ({ strikes: struck(context), turn: undefined, intent: undefined })),
    beginAgain: assign(({ context }) => ({
      next: phaseToResume(context),
      strikes: {},
      turn: undefined,
      intent: undefined,
      delivering: false,
    })),
    /** From the stretch's first phase, which is struck, not from the last, where the ticket was. */
    sendBack: assign(({ context }) => {
      const first = context.stretch[0] ?? ''
      return {
        next: first,
        strikes: { ...context.strikes, [first]: (context.strikes[first] ?? 0) + 1 },
        results: {},
        turn: undefined,
        intent: undefined,
        delivering: false,
      }
    }),
    forgive: assign({ strikes: {} }),
    reopen: assign(({ context }) => ({ next: context.stretch[0], strikes: {}, results: {}, delivering: false })),
  },
})

const DECISIONS = [
  { guard: 'blocks', target: '#ticket.work.blocked', actions: ['take', 'strike'] },
  { guard: 'kills', target: '#ticket.work.aborted', actions: ['take'] },
  { guard: 'holds', actions: ['take'] },
  { guard: 'recycles', target: '#ticket.work.active.claimed', actions: ['take', 'recycle'] },
  { guard: 'iterates', target: '#ticket.work.active.working.briefing', actions: ['take', 'iterate'] },
] as const

/** Entries that are kept by the ledger and move nothing. */
const RECORDS = {
  SEGMENT_OPENED: { actions: 'take' },
  LINE_SET_ASIDE: { actions: 'take' },
  ROUTED: { actions: 'take' },
  TOOL_REFUSED: { actions: 'take' },
  INTENT_STATED: { actions: 'take' },
  INTENT_SETTLED: { actions: 'take' },
  MODEL_CALLED: { actions: 'take' },
  ARTIFACT_WRITTEN: { actions: 'take' },
  ITEM_TICKED: { actions: 'take' },
  APPROVED: { actions: 'take' },
  OVERRIDDEN: { actions: 'take' },
  RESCUED: { actions: 'take' },
  REDACTED: { actions: 'take' },
  COMMENTED: { actions: 'take' },
  CHANGE_INTENDED: { actions: 'take' },
  CHANGE_OPENED: { actions: 'take' },
  FOUND: { actions: 'take' },
} as const

const STOPS = {
  PAUSED: { target: '#ticket.work.paused', actions: 'take' },
  ABORTED: { target: '#ticket.work.aborted', actions: 'take' },
} as const

const ROLL_BACK = { target: '#ticket.work.paused', actions: 'take' } as const

/** After the work is committed: children first, then the summary, then the gates. */
const COMMITTED = [
  { guard: and(['isThisIntent', 'opensChildren']), target: 'parenting', actions: ['take', 'commit'] },
  { guard: and(['isThisIntent', 'rendersHere']), target: '#ticket.work.active.gating.rendering', actions: ['take', 'commit'] },
  { guard: 'isThisIntent', target: '#ticket.work.active.gating.judging', actions: ['take', 'commit'] },
] as const

const CLAIMED = stateIn({ work: { active: 'claimed' } })

/** One way into each position, the same from everywhere: `mayEnter` holds the edge table. */
const ENTRANCES = MODES.flatMap((mode) => {
  const children: readonly ChildState[] | undefined = mode === 'build' || mode === 'evaluate' ? CHILD_STATES[mode] : undefined
  return [undefined, ...(children ?? [])].map((child) => ({
    guard: and(['mayEnter', CLAIMED, { type: 'entersPosition' as const, params: { mode, child } }]),
    target: child === undefined ? `.${mode}` : `.${mode}.${child}`,
  }))
})

/**
 * The ticket machine: where a ticket is (`position`, the nine modes) and what is going on with it (`work`).
 * Events are session entries; a state's `due` names the one thing to do next. It is flat and pure: no invoked
 * promises, no spawned actors, no clocks, so folding the log always gives the same state.
 */
export const ticketMachine = machine.createMachine({
  id: 'ticket',
  version: String(MACHINE_VERSION),
  context: BEGINNING,
  type: 'parallel',
  states: {
    position: {
      initial: 'nowhere',
      on: { PHASE_ENTERED: ENTRANCES as never },
      states: {
        nowhere: {},
        intake: {},
        discover: {},
        scope: {},
        design: {},
        build: { initial: 'whole', states: { whole: {}, dev: {}, extract: {}, features: {}, train: {} } },
        evaluate: { initial: 'whole', states: { whole: {}, qa: {}, 'model-eval': {} } },
        deliver: {},
        operate: {},
        improve: {},
      },
    },
    work: {
      initial: 'queued',
      states: {
        queued: { on: { TICKET_OPENED: { target: 'active', actions: ['take', 'open'] } } },
        active: {
          initial: 'claimed',
          on: {
            ...RECORDS,
            ...STOPS,
            ROLLED_BACK: ROLL_BACK,
            WAITING_BEGUN: { target: 'waiting', actions: 'take' },
            CHECK_IN_ASKED: { target: 'waiting', actions: 'take' },
          },
          states: {
            history: { type: 'history', history: 'deep' },
            claimed: {
              meta: { due: 'enter' },
              on: {
                PHASE_ENTERED: [
                  { guard: and(['mayEnter', 'entersToWork']), target: 'working', actions: ['take', 'enter'] },
                  { guard: and(['mayEnter', 'entersToRender']), target: 'gating.rendering', actions: ['take', 'enter'] },
                  { guard: 'mayEnter', target: 'gating.judging', actions: ['take', 'enter'] },
                ],
              },
            },
            working: {
              initial: 'briefing',
              states: {
                briefing: {
                  meta: { due: 'brief' },
                  on: { BRIEFED: { guard: 'isThisAttempt', target: 'ready', actions: 'take' } },
                },
                ready: {
                  meta: { due: 'turn' },
                  on: { TURN_STARTED: { guard: 'isThisAttempt', target: 'turning', actions: ['take', 'beginTurn'] } },
                },
                turning: {
                  meta: { due: 'turn' },
                  on: {
                    TURN_ENDED: [
                      { guard: and(['isThisTurn', 'turnCompleted']), target: 'turned', actions: ['take', 'endTurn'] },
                      { guard: and(['isThisTurn', 'turnFailed']), target: 'failed', actions: ['take', 'endTurn'] },
                      { guard: 'isThisTurn', target: 'ready', actions: ['take', 'endTurn'] },
                    ],
                    TURN_INTERRUPTED: { guard: 'isThisTurn', target: 'ready', actions: ['take', 'endTurn'] },
                  },
                },
                failed: { meta: { due: 'judge' }, on: { DECIDED: DECISIONS } },
                turned: {
                  meta: { due: 'commit' },
                  on: { WORK_INTENDED: { guard: 'isThisAttempt', target: 'committing', actions: ['take', 'intend'] } },
                },
                committing: {
                  meta: { due: 'commit' },
                  on: { WORK_COMMITTED: COMMITTED, WORK_UNCHANGED: COMMITTED, DECIDED: DECISIONS },
                },
                parenting: {
                  meta: { due: 'children' },
                  on: {
                    CHILD_INTENDED: { actions: 'take' },
                    CHILD_OPENED: { actions: 'take' },
                    CHILD_DONE: { actions: 'take' },
                    DECIDED: DECISIONS,
                    CHILDREN_SETTLED: [
                      { guard: 'rendersHere', target: '#ticket.work.active.gating.rendering', actions: 'take' },
                      { target: '#ticket.work.active.gating.judging', actions: 'take' },
                    ],
                  },
                },
              },
            },
            gating: {
              initial: 'judging',
              states: {
                rendering: {
                  meta: { due: 'render' },
                  on: { ARTIFACT_WRITTEN: { target: 'judging', actions: 'take' } },
                },
                judging: {
                  meta: { due: 'judge' },
                  on: {
                    GATE_JUDGED: { guard: 'isThisAttempt', actions: ['take', 'judge'] },
                    DECIDED: [
                      {
                        guard: and(['advancesWithin', 'isThisAttempt', 'gatesSayYes']),
                        target: '#ticket.work.active.claimed',
                        actions: ['take', 'advance'],
                      },
                      {
                        guard: and(['advancesOut', 'isThisAttempt', 'gatesSayYes']),
                        target: '#ticket.work.active.delivering',
                        actions: ['take', 'finish'],
                      },
                      ...DECISIONS,
                    ],
                  },
                },
              },
            },
            delivering: {
              meta: { due: 'deliver' },
              on: {
                GATE_JUDGED: { actions: ['take', 'judge'] },
                DECIDED: DECISIONS,
                DELIVERED: { target: '#ticket.work.delivered', actions: 'take' },
              },
            },
          },
        },
        waiting: {
          on: {
            ...RECORDS,
            ...STOPS,
            ROLLED_BACK: ROLL_BACK,
            WAITING_ENDED: { target: 'active.history', actions: 'take' },
            CHECK_IN_ANSWERED: { target: 'active.history', actions: 'take' },
          },
        },
        paused: {
          on: {
            ...RECORDS,
            ABORTED: STOPS.ABORTED,
            ROLLED_BACK: ROLL_BACK,
            RESUMED: { target: 'active.history', actions: 'take' },
          },
        },
        blocked: {
          on: {
            ...RECORDS,
            ...STOPS,
            ROLLED_BACK: ROLL_BACK,
            OVERRIDDEN: [
              { guard: 'wasDelivering', target: 'active.delivering', actions: ['take', 'forgive'] },
              { guard: 'hasPhase', target: 'active.gating.judging', actions: ['take', 'forgive'] },
            ],
            RESUMED: [
              { guard: 'wasDelivering', target: 'active.delivering', actions: ['take', 'forgive'] },
              { target: 'active.claimed', actions: ['take', 'beginAgain'] },
            ],
          },
        },
        aborted: {
          on: { RESUMED: { target: 'active.claimed', actions: ['take', 'beginAgain'] }, REDACTED: { actions: 'take' } },
        },
        delivered: {
          meta: { due: 'merge' },
          on: {
            SEGMENT_OPENED: { actions: 'take' },
            REDACTED: { actions: 'take' },
            CHANGE_RETURNED: [
              { guard: 'returnsOnceTooOften', target: 'blocked', actions: ['take', 'sendBack'] },
              { target: 'active.claimed', actions: ['take', 'sendBack'] },
            ],
            CHANGE_CLOSED: { target: 'blocked', actions: 'take' },
            REOPENED: [
              { guard: 'reopensDelivery', target: 'active.delivering', actions: 'take' },
              { target: 'active.claimed', actions: ['take', 'reopen'] },
            ],
          },
        },
      },
    },
  },
})

export type TicketSnapshot = SnapshotFrom<typeof ticketMachine>
