import type { FoundTicket } from '../../../conductor/sources.ts'
import { itemName, itemsHeld } from '../../../conductor/state.ts'
import { viewTicket } from '../../../conductor/view.ts'
import { readerAt } from '../../../core/reader.ts'
import { loadMethod } from '../../../modes/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import type { Context } from '../../context.ts'
import { tellEvent } from '../../display/event.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, table } from '../../display/text.ts'
import { verdictWord } from '../../display/verdict.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description: 'Shows one ticket: where it is, its items and gates, what it waits for, and what you can do.',
  examples: [{ does: 'Only what is still to do', line: 'ticket show 42 --todo' }],
  args: { issue: argument.text('Number of the issue, or a ticket such as build_42.') },
  flags: { todo: flag.switch('Only open items and gates that do not hold.') },
  json: true,
  async run(context, { args, flags }) {
    const { repository, tickets } = await ticketsNamed(context, args.issue)
    const found = (tickets.find(({ done }) => !done) ?? tickets.at(-1)) as FoundTicket
    const { opened } = found.state.ledger
    const method = await loadMethod(readerAt(repository.git, opened?.base ?? 'HEAD'), await configAt(repository, opened?.base))
    const texts = new Map(
      [...method.modes.values()].flatMap((mode) =>
        [...mode.entry, ...mode.checklist, ...mode.exit].map((item) => [item.id, item.text]),
      ),
    )
    const detail = { ...viewTicket(found), items: itemsOf(found, texts), counts: viewTicket(found).items }
    const open = {
      ...detail,
      items: detail.items.filter(({ state }) => state !== 'done'),
      gates: detail.gates.filter(({ verdict }) => !HOLDS.has(verdict)),
    }
    const shown = flags.todo ? open : detail
    if (flags.json) context.stdout.write(`${JSON.stringify(shown, (_, value) => value ?? null)}\n`)
    else context.stdout.write(`${tell(found, shown, flags.todo, context)}\n`)
    return 0
  },
})

const HOLDS = new Set<string>(['pass', 'waived', 'not-applicable'])

type Detail = Omit<ReturnType<typeof viewTicket>, 'items'> & { items: ItemView[] }

interface ItemView {
  item: string
  phase: string
  text: string
  required: boolean
  /** `stale`: ticked, but for work that has changed since. */
  state: 'done' | 'stale' | 'open'
}

async function configAt(repository: Parameters<typeof readConfigAt>[0], base: string | undefined) {
  return readConfigAt(repository, base ?? 'HEAD')
}

async function readConfigAt(repository: { git: Parameters<typeof readerAt>[0] }, rev: string) {
  const { readConfig } = await import('../../../core/config.ts')
  return (await readConfig(readerAt(repository.git, rev))).config
}

function itemsOf({ state }: FoundTicket, texts: ReadonlyMap<string, string>): ItemView[] {
  const held = itemsHeld(state)
  const ticked = new Set(state.ledger.ticks.map(({ phase, item }) => itemName(phase, item)))
  return [...state.ledger.asked].map(([name, required]) => {
    const phase =
      [...state.control.stretch].sort((a, b) => b.length - a.length).find((candidate) => name.startsWith(`${candidate}-`)) ?? ''
    const item = phase === '' ? name : name.slice(phase.length + 1)
    const state_ = held.has(name) ? 'done' : ticked.has(name) ? 'stale' : 'open'
    return { item, phase, text: texts.get(item) ?? '', required, state: state_ }
  })
}

function tell(found: FoundTicket, detail: Detail, todo: boolean, context: Context): string {
  const paint = paintFor(context)
  const { ticket, issue, title, pipeline, phase, mode, status, attempts, branch } = detail
  const facts = [
    ['issue', `#${issue} ${clean(title)}`],
    ['pipeline', `${pipeline}, phase ${phase}${mode ? ` (${mode})` : ''}, attempt ${attempts}`],
    ['status', status],
    ['branch', branch],
    ['waits for', clean(detail.waiting ?? '')],
  ].filter(([, value]) => value !== '')
  const mark = { done: paint.good('x'), stale: paint.warn('~'), open: ' ' }
  const items = detail.items.map(({ item, required, state, text }) => [
    `[${mark[state]}]${required ? '*' : ' '} ${paint.name(item)}`,
    clean(text),
  ])
  const gates = detail.gates.map(({ gate, verdict }) => [verdictWord(verdict, paint), gate])
  const last = found.session.entries.findLast((entry) => tellEvent(entry).weight === 'milestone')
  return [
    paint.bold(ticket),
    table(
      facts.map(([name = '', value = '']) => [paint.dim(name), value]),
      2,
    ),
    ...(items.length > 0 ? ['', paint.bold('items'), table(items, 2)] : []),
    ...(gates.length > 0 ? ['', paint.bold('gates'), table(gates, 2)] : []),
    ...(todo && items.length + gates.length === 0 ? ['', 'nothing is to do'] : []),
    ...(last && !todo ? ['', `${paint.dim('last:')} ${last.ts.slice(0, 19).replace('T', ' ')} ${tellEvent(last).text}`] : []),
    ...nextSteps(status, issue, found).map((step) => `${paint.dim('next:')} ${step}`),
  ].join('\n')
}

function nextSteps(status: string, issue: number, { state }: FoundTicket): string[] {
  if (status === 'done' || status === 'aborted') return []
  if (status === 'blocked')
    return [`valuetrain resume ${issue}, then valuetrain run ${issue}, gives it new attempts; valuetrain abort ${issue} ends it`]
  if (status === 'paused') return [`valuetrain resume ${issue}, then valuetrain run ${issue}`]
  if (status === 'delivered') return [`valuetrain run ${issue} --merge auto`]
  if (status === 'waiting' && (state.ledger.checkIn || state.ledger.waiting?.reason === 'approval'))
    return [`valuetrain ticket approve ${issue}`]
  return [`valuetrain run ${issue}`]
}
