import { type ForgeComment, type HostedForge, mayWrite, type Review } from '../core/contracts/forge.ts'
import { branchOf } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { resolveCommit } from '../core/tree.ts'
import { workDigest } from '../gates/index.ts'
import { type Bell, openBell } from './bell.ts'
import { knownChange } from './change.ts'
import { committedConfig } from './definitions.ts'
import { lookAtTickets } from './done.ts'
import { commandIn, type ForgeCommand } from './forge-commands.ts'
import { type Act, operate } from './operate.ts'
import type { Ports } from './ports.ts'
import type { FoundTicket } from './sources.ts'

/** What was answered since this program began, so that a word which left no entry is not looked up again and again. */
export type Heard = Set<string>

/**
 * Listens once, and then again and again until it is closed. A forge that is away is told and asked again later.
 *
 * @returns when the first round is over
 */
export async function keepListening(
  ports: Ports,
  forge: HostedForge,
  everyMs: number,
  bell: Bell = openBell(),
): Promise<{ close(): Promise<void> }> {
  const heard: Heard = new Set()
  const over = new AbortController()
  const signal = AbortSignal.any([ports.signal, over.signal])
  const round = () =>
    listen(ports, forge, heard).catch((error) => {
      if (!signal.aborted) ports.onProgress('forge', `comments could not be read: ${wordsOf(error)}`)
    })
  const pause = bell.waiter()
  await round()
  const rounds = (async () => {
    while (!signal.aborted) {
      await pause(everyMs, ports.clock, signal)
      if (!signal.aborted) await round()
    }
  })()
  return {
    close: () => {
      over.abort()
      return rounds
    },
  }
}

/**
 * Hears what people have said on the forge about tickets under way: commands in comments, and approving reviews where a
 * ticket waits for a person. Only those who may write are heard. Which words were acted on already is read from the sessions,
 * whose entries name them.
 */
export async function listen(ports: Ports, forge: HostedForge, heard: Heard): Promise<void> {
  const config = await committedConfig(ports.repository)
  const live = (await lookAtTickets(ports.repository, config)).open.filter(
    ({ done, state }) => !done && state.status !== 'aborted',
  )
  if (live.length === 0) return
  const acted = new Set(live.flatMap(({ session }) => session.entries.flatMap(({ data }) => data?.via?.id ?? [])))
  const isNew = (id: string) => !acted.has(id) && !heard.has(id)
  const since = live.flatMap(({ session }) => session.entries[0]?.ts ?? []).sort()[0]
  const changes = new Map<number, FoundTicket>()
  for (const found of live) {
    const change = knownChange(found.state, config)
    if (change) changes.set(Number(change.id), found)
    if (!change || !waitsForPerson(found)) continue
    const standing = await forge.observeChange(change)
    for (const review of standing.reviews) {
      const isAnswer = review.state === 'approved' || review.state === 'changes-requested'
      if (!isAnswer || !isNew(`review-${review.id}`) || !mayWrite(review.permission)) continue
      if (!(await isAboutPresent(ports, found.ticket, review.commit, standing.change.headCommit))) continue
      heard.add(`review-${review.id}`)
      await (review.state === 'approved' ? approve : refuse)(ports, found, review)
    }
  }
  for (const comment of since === undefined ? [] : await forge.listComments(since)) {
    const command = commandIn(comment.body)
    const found = live.find(({ issue }) => issue === comment.number) ?? changes.get(comment.number)
    if (command === undefined || found === undefined || !isNew(`comment-${comment.id}`) || !mayWrite(comment.permission)) continue
    heard.add(`comment-${comment.id}`)
    await forge.comment(comment.number, `reply-${comment.id}`, await obey(ports, found, command, comment))
  }
}

/** A review is of a commit; it counts while the work is what it was there, since our records are pushed all the time. */
async function isAboutPresent({ repository: { git } }: Ports, ticket: string, commit: string, head: string): Promise<boolean> {
  // An answer is bound to the work as it is here, of which the forge may not have seen the last yet.
  const [seen, now] = await Promise.all([commit, `refs/heads/${branchOf(ticket)}`].map((rev) => resolveCommit(git, rev)))
  if (seen === undefined || seen === (now ?? head)) return seen !== undefined
  const [there, here] = await Promise.all([seen, now ?? head].map((id) => workDigest({ git, head: id, ticket })))
  return there === here
}

/** A ticket that a person's yes would get going: it asks one, or it was stopped by what only a person mends. */
function waitsForPerson({ state }: FoundTicket): boolean {
  const { required, results } = state.control
  return required.some(
    ({ gate, human, mendedBy }) =>
      (human || mendedBy === 'person') && results[gate] !== undefined && results[gate].verdict !== 'pass',
  )
}

async function approve(ports: Ports, found: FoundTicket, review: Review): Promise<void> {
  const { required, results } = found.state.control
  await taken(ports, found, review, async (say) => {
    for (const { gate, mendedBy } of required)
      if (mendedBy === 'person' && results[gate]?.verdict === 'fail') await say({ type: 'approve', gate, channel: 'review' })
    const asksPerson = required.some(({ gate, human }) => human && results[gate]?.verdict !== 'pass')
    if (asksPerson || found.state.ledger.checkIn) await say({ type: 'approve', channel: 'review' })
    if (found.state.status === 'blocked') await say({ type: 'resume' })
  })
}

/** A no sends what waits for a yes back to work; anything else that is asked for comes up when it is delivered. */
async function refuse(ports: Ports, found: FoundTicket, review: Review): Promise<void> {
  if (found.state.ledger.waiting?.reason !== 'approval') return
  await taken(ports, found, review, (say) => say({ type: 'refuse', reason: review.body }))
}

async function taken(
  ports: Ports,
  found: FoundTicket,
  review: Review,
  answer: (say: (act: Act) => Promise<unknown>) => Promise<unknown>,
): Promise<void> {
  const via = { id: `review-${review.id}`, login: review.login, permission: review.permission }
  try {
    await answer((act) => operate(ports, found.issue, act, { name: review.login, via }))
  } catch (error) {
    ports.onProgress(found.ticket, `the review of ${review.login} was not taken: ${wordsOf(error)}`)
  }
}

async function obey(ports: Ports, found: FoundTicket, command: ForgeCommand, comment: ForgeComment): Promise<string> {
  if (command.name === 'status') return standingOf(found)
  const { id, login, permission } = comment
  try {
    const { text } = await operate(ports, found.issue, actOf(command, login), {
      name: login,
      via: { id: `comment-${id}`, login, permission },
    })
    return `${text}.`
  } catch (error) {
    return `This was not done: ${wordsOf(error)}`
  }
}

function actOf({ name, text }: ForgeCommand, login: string): Act {
  const reason = text === '' ? {} : { reason: text }
  switch (name) {
    case 'pause':
      return { type: 'pause', ...reason }
    case 'take':
      return { type: 'pause', reason: `${login} has taken it over${text === '' ? '' : `: ${text}`}; /resume gives it back` }
    case 'abort':
      return { type: 'abort', reason: text === '' ? `${login} asked for it` : text }
    case 'approve':
      return { type: 'approve', channel: 'comment', ...(/^[a-z][a-z0-9-]*$/.test(text) ? { gate: text } : reason) }
    default:
      return { type: 'resume', ...reason }
  }
}

/** One paragraph on where a ticket stands, from its log. */
function standingOf({ ticket, state }: FoundTicket): string {
  const { control, ledger, status } = state
  const place =
    control.phase === undefined ? '' : `, phase ${control.phase}, attempt ${control.attempt} of ${ledger.opened?.attempts ?? '?'}`
  const open = control.required.filter(({ gate }) => control.results[gate]?.verdict !== 'pass').map(({ gate }) => `\`${gate}\``)
  const why = ledger.waiting?.on ?? ledger.stopped
  return [
    `\`${ticket}\` is ${status}${place}${why === undefined ? '' : `: ${why}`}.`,
    open.length > 0 ? `Gates that have not said yes yet: ${open.join(', ')}.` : 'Every gate of this phase has said yes.',
  ].join('\n')
}

/** An operator's mistake is an answer; a fault of ours is not. */
function wordsOf(error: unknown): string {
  if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
  return `${error.message}${error.hint ? ` (${error.hint})` : ''}`
}
