import type { PlacedEntry } from '../core/contracts/event.ts'
import { MODES, ROLES, ticketOf } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { parseChecklist } from './checklist.ts'
import { FLOW_RULES } from './flow-rules.ts'
import { itemsOf } from './parse.ts'
import { checkGateNames, stretches } from './pipeline.ts'
import { broken, eventsOf, held, notApplicable, type SpecFacts, type SpecRule, type SpecTicket, unless } from './spec.ts'
import { mayMove } from './table.ts'

/** Returns a rule that is asked of every ticket; `problems` says what breaks it there. */
function ticketRule(
  id: string,
  part: SpecRule['part'],
  text: string,
  problems: (ticket: SpecTicket, facts: SpecFacts) => string[],
): SpecRule {
  return {
    id,
    part,
    text,
    check: (facts) =>
      unless(
        facts.tickets.flatMap((ticket) => problems(ticket, facts).map((problem) => `${ticket.ticket}: ${problem}`)),
        facts.tickets.length,
        'tickets',
      ),
  }
}

const TICKETS: readonly SpecRule[] = [
  ticketRule('ticket-has-session', 'tickets', 'Everything a ticket did is in its session, in git.', ({ entries }) =>
    entries[0]?.type === 'TICKET_OPENED' ? [] : ['its session does not begin with its opening'],
  ),
  ticketRule(
    'ticket-name',
    'tickets',
    'A ticket is named after the first phase of its stretch and its issue.',
    ({ ticket, entries }) =>
      eventsOf(entries, 'TICKET_OPENED').flatMap(({ data }) => {
        const name = ticketOf(data.stretch[0] ?? '', data.issue.number)
        return name === ticket && data.ticket === ticket ? [] : [`its opening says ${name}`]
      }),
  ),
  ticketRule('delivered-on-verdicts', 'tickets', 'Nothing is delivered on a verdict that is not a yes.', ({ entries }) =>
    eventsOf(entries, 'DELIVERED').flatMap(({ data }) =>
      data.verdicts.length === 0
        ? ['it was delivered on no verdict at all']
        : data.verdicts.filter(({ verdict }) => verdict === 'inconclusive').map(({ gate }) => `${gate} was inconclusive`),
    ),
  ),
]

const MODE_RULES: readonly SpecRule[] = [
  {
    id: 'nine-modes',
    part: 'modes',
    text: 'There are nine modes, each with purpose, roles, checklist and instructions.',
    check({ method }) {
      const missing = MODES.filter((id) => {
        const mode = method.modes.get(id)
        return !mode || mode.roles.length === 0 || mode.checklist.length === 0 || mode.body === ''
      })
      return missing.length > 0 ? broken(`incomplete: ${missing.join(', ')}`) : held('all nine are complete')
    },
  },
  ticketRule('allowed-edges', 'modes', 'A ticket goes from mode to mode only along the table’s edges.', ({ entries }) => {
    const modes = eventsOf(entries, 'PHASE_ENTERED').map(({ data }) => data.mode)
    return modes.flatMap((to, index) => {
      const from = modes[index - 1]
      return from === undefined || mayMove(from, to) ? [] : [`it went from ${from} to ${to}`]
    })
  }),
  ticketRule(
    'left-by-decision',
    'modes',
    'A mode is left only by a decision that the gates carry; holds are recorded.',
    ({ entries, policy }) => {
      const undecided = entries.flatMap((entry, index) => {
        if (entry.type !== 'PHASE_ENTERED' || index === 0) return []
        const before = lastOf(entries.slice(0, index), ['PHASE_ENTERED', 'DECIDED', 'REOPENED', 'CHANGE_RETURNED', 'ROLLED_BACK'])
        return before === undefined || before.type !== 'PHASE_ENTERED'
          ? []
          : ['a phase was entered without a decision on the one before']
      })
      return policy === 'ungated' ? [...undecided, 'a step did not follow its gates'] : undecided
    },
  ),
  {
    id: 'checkable-items',
    part: 'modes',
    text: 'Every item can be checked: it has an id, a required mark and evidence that exists.',
    check({ method, gates }) {
      const items = [...method.modes.values()].flatMap((mode) => itemsOf(mode).map((item) => ({ mode: mode.id, item })))
      const bad = items.filter(
        ({ item }) => item.evidence.kind === 'gate' && item.evidence.gate !== 'commands' && !gates.has(item.evidence.gate),
      )
      return unless(
        bad.map(({ mode, item }) => `${mode} item ${item.id} is bound to a gate that does not exist`),
        items.length,
        'items',
      )
    },
  },
  ticketRule('ticks-with-evidence', 'modes', 'An item is ticked only on a result that says yes.', ({ entries }) => {
    const results = new Map(eventsOf(entries, 'GATE_JUDGED').map(({ data }) => [data.result.id, data.result]))
    return eventsOf(entries, 'ITEM_TICKED').flatMap(({ data }) => {
      const result = results.get(data.result)
      if (!result) return [`${data.item} was ticked on a result that is not in the session`]
      return ['fail', 'inconclusive'].includes(result.verdict)
        ? [`${data.item} was ticked although ${result.gate} said ${result.verdict}`]
        : []
    })
  }),
  ticketRule('ticks-stay', 'modes', 'A tick is history: going back unticks nothing.', ({ entries, checklist, ticket }) => {
    const ticked = eventsOf(entries, 'ITEM_TICKED')
    if (ticked.length === 0) return []
    if (checklist === undefined) return ['its checklist is missing']
    try {
      const items = parseChecklist(checklist, `${ticket}/checklist.md`)
      return ticked
        .filter(({ data }) => !items.some(({ id, phase, ticks }) => id === data.item && phase === data.phase && ticks.length > 0))
        .map(({ data }) => `${data.item} was ticked and no longer is`)
    } catch (error) {
      if (error instanceof ValuetrainError) return [error.message]
      throw error
    }
  }),
]

const ROLE_RULES: readonly SpecRule[] = [
  {
    id: 'seven-roles',
    part: 'roles',
    text: 'There are seven roles, each saying which modes it works in and which tools it may use.',
    check({ method }) {
      const missing = ROLES.filter(
        (id) => (method.roles.get(id)?.modes.length ?? 0) === 0 || (method.roles.get(id)?.tools.length ?? 0) === 0,
      )
      return missing.length > 0 ? broken(`incomplete: ${missing.join(', ')}`) : held('all seven are complete')
    },
  },
  ticketRule('roles-in-their-modes', 'roles', 'A role works only in its modes.', ({ entries }, { method }) =>
    eventsOf(entries, 'PHASE_ENTERED').flatMap(({ data }) =>
      method.roles.get(data.role)?.modes.includes(data.mode) ? [] : [`${data.role} worked in ${data.mode}`],
    ),
  ),
]

const PIPELINE_RULES: readonly SpecRule[] = [
  {
    id: 'pipelines-checked',
    part: 'pipelines',
    text: 'Pipelines name modes, items, roles and gates that exist, and go only along the table’s edges.',
    check({ method, gates }) {
      try {
        checkGateNames(method, gates)
        return held(`${method.pipelines.size} pipelines looked at`)
      } catch (error) {
        if (error instanceof ValuetrainError) return broken(error.message)
        throw error
      }
    },
  },
  {
    id: 'routine-straight',
    part: 'pipelines',
    text: 'The routine pipeline goes straight from build over evaluate to deliver: one ticket, one worktree, one merge.',
    check({ method }) {
      const pipeline = method.pipelines.get('routine')
      const modes = pipeline?.phases.map(({ mode }) => mode).join(' > ') ?? 'nothing'
      if (modes !== 'build > evaluate > deliver') return broken(`it goes ${modes}`)
      return pipeline && stretches(pipeline).length === 1 ? held('one stretch') : broken('it ships in several stretches')
    },
  },
  {
    id: 'product-all-modes',
    part: 'pipelines',
    text: 'The product pipeline visits all nine modes in order, and its build opens child tickets.',
    check({ method }) {
      const phases = method.pipelines.get('product')?.phases ?? []
      const visited = phases.map(({ mode }) => mode).filter((mode, index, all) => mode !== all[index - 1])
      if (visited.join() !== MODES.join()) return broken(`it visits ${visited.join(', ')}`)
      return phases.some(({ mode, children }) => mode === 'build' && children)
        ? held('all nine')
        : broken('no build phase opens child tickets')
    },
  },
  {
    id: 'ml-phases',
    part: 'pipelines',
    text: 'The machine-learning pipeline has 17 to 19 phases, trains before it evaluates, and evaluates before it delivers.',
    check({ method }) {
      const phases = method.pipelines.get('ml')?.phases ?? []
      if (phases.length < 17 || phases.length > 19) return broken(`it has ${phases.length} phases`)
      const place = [
        phases.findIndex(({ child }) => child === 'train'),
        phases.findIndex(({ child }) => child === 'model-eval'),
        phases.findIndex(({ mode }) => mode === 'deliver'),
      ]
      const inOrder = place.every((at, index) => at >= 0 && at > (place[index - 1] ?? -1))
      return inOrder ? held(`${phases.length} phases`) : broken('training, model evaluation and delivery are not in that order')
    },
  },
]

const PILOT: readonly SpecRule[] = [
  {
    id: 'priority-order',
    part: 'auto-pilot',
    text: 'The queue takes now before next before future.',
    check({ config }) {
      const places = ['now', 'next', 'future'].map((label) => config.labels.priorities.indexOf(label))
      if (places.every((place) => place < 0)) return notApplicable('the repository has priority labels of its own')
      const inOrder = places.every((place, index) => place >= 0 && place > (places[index - 1] ?? -1))
      return inOrder ? held(config.labels.priorities.join(', ')) : broken(`the order is ${config.labels.priorities.join(', ')}`)
    },
  },
  {
    id: 'not-work',
    part: 'auto-pilot',
    text: 'Issues labelled blocked, risk, mitigation or meta are not taken.',
    check({ config }) {
      const missing = ['blocked', 'risk', 'mitigation', 'meta'].filter((label) => !config.labels.excluded.includes(label))
      return missing.length > 0 ? broken(`taken all the same: ${missing.join(', ')}`) : held('all four are left out')
    },
  },
  ticketRule(
    'three-strikes',
    'auto-pilot',
    'After the configured number of failures a phase is not tried again by itself.',
    ({ entries }) => {
      const allowed = eventsOf(entries, 'TICKET_OPENED')[0]?.data.attempts ?? 3
      let failures = 0
      for (const entry of entries) {
        if (entry.type === 'DECIDED' && entry.data?.outcome === 'iterate') failures += 1
        else if (
          [
            'DECIDED',
            'RESUMED',
            'OVERRIDDEN',
            'REOPENED',
            'CHANGE_RETURNED',
            'ROLLED_BACK',
            'APPROVED',
            'SEGMENT_OPENED',
          ].includes(entry.type)
        )
          failures = 0
        if (failures >= allowed) return [`it was tried again after ${failures} failures of ${allowed}`]
      }
      return []
    },
  ),
]

/** The methodology's guard-rails and the gates that stand for them. */
const GUARDS: readonly { id: string; gates: readonly string[]; text: string }[] = [
  { id: 'monotonic-checklist', gates: ['checklist-monotonic'], text: 'No tick and no item disappears.' },
  { id: 'required-items', gates: ['required-items'], text: 'No phase is left with a required item open.' },
  { id: 'evidence', gates: ['evidence'], text: 'Artifacts are there, filled, and the ones that were recorded.' },
  { id: 'frozen', gates: ['frozen'], text: 'A ticket that is done does not change again.' },
  { id: 'single-writer', gates: ['single-writer'], text: 'Sessions are only appended to.' },
  { id: 'session-conflict', gates: ['session-conflict'], text: 'Phase, mode and status change only as a transition explains.' },
  { id: 'branch-name', gates: ['branch-name'], text: 'A branch carries the name of its ticket.' },
  { id: 'size', gates: ['size'], text: 'No large file gets into history.' },
  { id: 'lfs-routing', gates: ['lfs'], text: 'Data and weights above the limit go to LFS.' },
  { id: 'secrets', gates: ['secrets'], text: 'No key, token or password is committed.' },
  {
    id: 'protected-paths',
    gates: ['protected-paths'],
    text: 'An agent changes hooks, gates, pipelines and configuration only with an approval.',
  },
  { id: 'commit-message', gates: ['commit-message'], text: 'Commits of a ticket name it.' },
  { id: 'privacy', gates: ['privacy'], text: 'Nothing committed tells of the machine it was made on.' },
]

const GUARD_RULES: readonly SpecRule[] = [
  ...GUARDS.map(
    ({ id, gates, text }): SpecRule => ({
      id: `guard-${id}`,
      part: 'guard-rails',
      text,
      check({ guardRails, tickets }) {
        const missing = gates.filter((gate) => !guardRails.has(gate))
        if (missing.length > 0) return broken(`no phase asks ${missing.join(', ')}`)
        const delivered = tickets.filter(({ entries }) => entries.some(({ type }) => type === 'DELIVERED'))
        const without = delivered.filter(
          ({ entries }) => !gates.every((gate) => eventsOf(entries, 'GATE_JUDGED').some(({ data }) => data.result.gate === gate)),
        )
        if (without.length > 0)
          return broken(
            `delivered without being asked: ${without
              .map(({ ticket }) => ticket)
              .slice(0, 3)
              .join(', ')}`,
          )
        return held(delivered.length === 0 ? 'every phase asks it' : `asked of ${delivered.length} delivered tickets`)
      },
    }),
  ),
  {
    id: 'guard-commands',
    part: 'guard-rails',
    text: 'Configured commands (lint, types, build, test) succeed on what is delivered.',
    check({ config }) {
      const named = Object.entries(config.commands).flatMap(([name, argv]) => (argv === undefined ? [] : [name]))
      return named.length === 0 ? broken('no command is configured, so nothing of the code is judged') : held(named.join(', '))
    },
  },
]

const SESSION_RULES: readonly SpecRule[] = [
  ticketRule(
    'sessions-intact',
    'sessions',
    'A session is what was written: chained, appended, never edited.',
    ({ integrity, completeness }) => [
      ...(integrity === 'altered' ? ['it was altered'] : []),
      ...(completeness === 'truncated' ? ['its end is missing'] : []),
    ],
  ),
  ticketRule('tagged-events', 'sessions', 'Every event says whether a person or an agent did it.', ({ entries }) =>
    entries.filter(({ data }) => data !== null && data.actor?.kind === undefined).map(({ id }) => `${id} does not`),
  ),
  ticketRule('reasons-given', 'sessions', 'Overriding a gate and ending a ticket by hand carry a reason.', ({ entries }) =>
    [...eventsOf(entries, 'OVERRIDDEN'), ...eventsOf(entries, 'ABORTED')]
      .filter(({ data }) => data.reason.trim() === '')
      .map(({ id }) => `${id} has none`),
  ),
  ticketRule('last-entry', 'sessions', 'DELIVERED is the last entry, unless the ticket was opened again.', ({ entries }) => {
    const delivered = entries.findLastIndex(({ type }) => type === 'DELIVERED')
    const after = delivered < 0 ? [] : entries.slice(delivered + 1)
    const first = after.find(({ type }) => !['SEGMENT_OPENED', 'REDACTED', 'LINE_SET_ASIDE'].includes(type))
    const opensAgain = first === undefined || ['REOPENED', 'CHANGE_RETURNED', 'CHANGE_CLOSED'].includes(first.type)
    return opensAgain ? [] : [`${first.type} comes after it`]
  }),
]

/** Every rule of the methodology that a repository can be seen to hold, in the methodology's order. */
export const SPEC_RULES: readonly SpecRule[] = [
  ...TICKETS,
  ...MODE_RULES,
  ...ROLE_RULES,
  ...PIPELINE_RULES,
  ...PILOT,
  ...GUARD_RULES,
  ...SESSION_RULES,
  ...FLOW_RULES,
]

function lastOf(entries: readonly PlacedEntry[], types: readonly string[]): PlacedEntry | undefined {
  return entries.findLast(({ type }) => types.includes(type))
}
