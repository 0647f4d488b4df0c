import { canonicalJson } from '../core/canonical.ts'
import type { Entry, EventData, EventType } from '../core/contracts/event.ts'

/**
 * The text people read above an entry's line. It is rendered purely from the entry, and a reader renders it again to
 * compare: a change of wording here makes the files of yesterday look altered, so a wording belongs to the format
 * version (`v`) and is changed only together with it.
 *
 * Values from outside stand in code spans, on one line, with control and invisible characters made visible: no value
 * can begin a heading, a fence or a link.
 */
export function proseOf(entry: Entry): string {
  if (entry.data === null) return `Its data was redacted. Their digest is ${code(entry.digest ?? 'missing')}.`
  const tell = Object.hasOwn(PROSE, entry.type) ? (PROSE[entry.type] as Tell) : tellAnything
  let lines: readonly string[]
  try {
    lines = tell(entry.data)
  } catch {
    // Data that the schema would refuse: the reader's other checks name it, the text must not stop them.
    lines = tellAnything(entry.data)
  }
  const supersedes = entry.data.supersedes === undefined ? [] : [`Corrects entry ${code(entry.data.supersedes)}.`]
  return [`By ${whoOf(entry.data.actor)}, ${code(entry.ts)}.`, '', ...lines, ...supersedes].join('\n')
}

/** Tells whether this version has its own words for an event type, and so can check a text of that type. */
export function hasProse(type: string): boolean {
  return Object.hasOwn(PROSE, type)
}

type Tell = (data: unknown) => readonly string[]
type Prose = { [T in EventType]: (data: EventData<T>) => readonly string[] }

const PROSE: Prose = {
  TICKET_OPENED: (d) => [
    `Ticket ${code(d.ticket)} was opened for issue ${d.issue.number}, ${code(d.issue.title)}.`,
    `Pipeline ${code(d.pipeline)}, phases ${codes(d.stretch)}, base ${code(d.base)}, runtime ${code(d.runtime)}, lease epoch ${d.epoch}.`,
    ...(d.parent === undefined ? [] : [`It is a part of issue ${d.parent}.`]),
    ...(d.after === undefined ? [] : [`It follows ticket ${code(d.after)}.`]),
  ],
  SEGMENT_OPENED: (d) => [`The log continues here: ${d.reason}, lease epoch ${d.epoch}.`],
  LINE_SET_ASIDE: (d) => [
    `${d.bytes} bytes torn by a crash at the end of segment ${code(d.segment)} were set aside and kept as ${code(d.kept)}.`,
  ],
  PHASE_ENTERED: (d) => [
    `Phase ${code(d.phase)} was entered, attempt ${d.attempt}: mode ${d.mode}${d.child === undefined ? '' : `, ${d.child}`}, role ${d.role}.`,
    ...(d.works ? [] : ['No role works here; the conductor judges and renders.']),
    ...bullets(
      'It asks for these gates:',
      d.required.map((gate) => `${code(gate.gate)}${gate.severity === 'warn' ? ', only as a warning' : ''}`),
    ),
  ],
  ROUTED: (d) => [
    `${code(d.policy)} chose ${code(d.chosen)}${d.phase === undefined ? '' : ` for attempt ${d.attempt ?? 1} at ${code(d.phase)}`}.`,
    ...(d.canary === undefined
      ? []
      : [
          `${code(d.canary.policy)} is on trial with ${Number((100 * d.canary.share).toPrecision(4))} % of the issues; this one is the ${d.canary.lane}'s.`,
        ]),
    ...bullets('The candidates and the chance of each:', d.arms.map(shareOf)),
    ...(d.watched === undefined
      ? []
      : bullets(`${code(d.watched.policy)} only watched; by it the chances are:`, d.watched.arms.map(shareOf))),
  ],
  BRIEFED: (d) => [
    `The ${d.role} was briefed for ${code(d.phase)}, attempt ${d.attempt}, on runtime ${code(d.runtime)}: ${d.bytes} bytes, digest ${code(d.digest)}.`,
    ...(d.sources === undefined || d.sources.length === 0
      ? []
      : [`It tells of ${d.sources.map(({ source }) => code(source)).join(', ')}.`]),
  ],
  TURN_STARTED: (d) => [
    `A turn on runtime ${code(d.runtime)} began in phase ${code(d.phase)}, attempt ${d.attempt}, from commit ${code(d.from)}.`,
    ...(d.jailed === undefined ? [] : [d.jailed ? 'It is held in a jail.' : 'Nothing holds it: there is no jail.']),
  ],
  INTENT_STATED: (d) => [
    d.intent === undefined
      ? 'The agent stated something that is no intent.'
      : `The agent asked to ${code(d.intent.kind)}: ${code(JSON.stringify(d.intent).slice(0, 2_000))}.`,
    d.allowed ? 'It was let through.' : 'It was refused.',
    ...bullets(
      'Reasons:',
      d.reasons.map((reason) => code(reason)),
    ),
  ],
  INTENT_SETTLED: (d) => [`The intent ${code(d.intent)} ${d.done ? 'was done' : 'was not done'}: ${code(d.how)}.`],
  TOOL_REFUSED: (d) => [`The tool ${code(d.tool)} was refused: ${code(d.reason)}.`],
  TURN_ENDED: (d) => [
    `The turn ended: ${d.outcome}, ${code(d.reason)}.`,
    ...(d.exit === undefined || d.exit === null ? [] : [`Exit code ${d.exit}.`]),
    ...(d.signal === undefined ? [] : [`Signal ${code(d.signal)}.`]),
    ...(d.until === undefined ? [] : [`It can go on from ${code(d.until)}.`]),
    ...(d.usage === undefined
      ? []
      : d.quota === true
        ? [`Used ${d.usage.tokensIn} tokens in, ${d.usage.tokensOut} tokens out of a login's quota, by the agent's own count.`]
        : [`Used ${d.usage.tokensIn} tokens in, ${d.usage.tokensOut} tokens out, ${d.usage.costUsd} US dollars.`]),
    ...(d.session === undefined ? [] : [`Its own session is ${code(d.session)}.`]),
    ...bullets(
      'Decisions it reports:',
      d.decisions.map((decision) => code(decision)),
    ),
    ...(d.handOff === undefined ? [] : [`Hand-off note: ${code(d.handOff)}.`]),
  ],
  MODEL_CALLED: (d) => [
    `Model ${code(d.model)} of ${code(d.provider)} was called (${d.outcome}, status ${d.status}): ${d.tokens.input} tokens in, ${d.tokens.output} out, ${d.tokens.cacheRead} read from cache, ${d.tokens.cacheWrite + d.tokens.cacheWriteLong} written to it.`,
    d.costUsd === null ? 'Its cost is not known.' : `Cost ${d.costUsd} US dollars${d.estimated ? ' at most' : ''}.`,
    ...(d.reason === undefined ? [] : [`Reason: ${code(d.reason)}.`]),
  ],
  TURN_INTERRUPTED: (d) => [
    d.rescue === undefined
      ? 'A turn was interrupted; it left nothing uncommitted.'
      : `A turn was interrupted; what it left is kept in ${code(d.rescue)}.`,
  ],
  WORK_INTENDED: (d) => [`A commit of the work of phase ${code(d.phase)}, attempt ${d.attempt}, is about to be made.`],
  WORK_COMMITTED: (d) => [
    `Work was committed as ${code(d.commit)}: ${d.files} files, ${d.added} lines added, ${d.removed} removed. Subject ${code(d.subject)}.`,
  ],
  WORK_UNCHANGED: (d) => [`There was nothing to commit. Subject ${code(d.subject)}.`],
  ARTIFACT_WRITTEN: (d) => [`Artifact ${code(d.path)} was written, digest ${code(d.digest)}.`],
  GATE_JUDGED: (d) => [
    `Gate ${code(d.result.gate)} says ${d.result.verdict} on ${d.result.subject.kind} ${code(d.result.subject.digest)}, phase ${code(d.phase)}, attempt ${d.attempt}.`,
    ...(d.result.reusedFrom === undefined ? [] : [`It repeats result ${code(d.result.reusedFrom)} on the same inputs.`]),
    ...bullets(
      'Reasons:',
      d.result.reasons.map((reason) => code(reason)),
    ),
  ],
  ITEM_TICKED: (d) => [
    `Item ${code(d.item)} of phase ${code(d.phase)} was ticked, attempt ${d.attempt}, by result ${code(d.result)}.`,
  ],
  DECIDED: (d) => [
    `Decided in phase ${code(d.phase)}, attempt ${d.attempt}: ${d.outcome} (${d.code})${d.to === undefined ? '' : `, to ${code(d.to)}`}.`,
    ...bullets(
      'Reasons:',
      d.reasons.map((reason) => code(reason)),
    ),
  ],
  CHECK_IN_ASKED: (d) => [
    `Check-in ${d.moment}: ${code(d.question)} Recommended: ${code(d.recommendation)}.`,
    ...bullets(
      'Options:',
      d.options.map((option) => code(option)),
    ),
  ],
  CHECK_IN_ANSWERED: (d) => [`Check-in ${d.moment} was answered through ${d.channel}: ${code(d.option)}${because(d.reason)}.`],
  APPROVED: (d) => [`Gate ${code(d.gate)} was approved through ${d.channel} on ${code(d.subject)}${because(d.reason)}.`],
  OVERRIDDEN: (d) => [
    `Gate ${code(d.gate)} was overridden through ${d.channel} on ${code(d.subject)}${because(d.reason)}${d.expires === undefined ? '' : `, until ${code(d.expires)}`}.`,
  ],
  WAITING_BEGUN: (d) => [
    `The ticket waits (${d.reason}) for ${code(d.on)}${d.until === undefined ? '' : `, until ${code(d.until)}`}.`,
  ],
  WAITING_ENDED: (d) => [`The wait (${d.reason}) ended by ${code(d.by)}.`],
  PAUSED: (d) => [`The ticket was paused${because(d.reason)}.`],
  RESUMED: (d) => [`The ticket was resumed${because(d.reason)}.`],
  ABORTED: (d) => [`The ticket was aborted${because(d.reason)}.`],
  CHILD_INTENDED: (d) => [`A child issue is about to be opened: ${code(d.title)} (key ${code(d.key)}).`],
  CHILD_OPENED: (d) => [`Issue ${d.issue} is the child with key ${code(d.key)}.`],
  CHILD_DONE: (d) => [`Child issue ${d.issue} is done by ticket ${code(d.ticket)}.`],
  CHILDREN_SETTLED: (d) => [`The child issues are settled: ${d.issues.length === 0 ? 'none' : d.issues.join(', ')}.`],
  RESCUED: (d) => [
    `${d.files} uncommitted files were rescued into ${code(d.ref)}: ${code(d.why)}.`,
    ...bullets(
      'Ignored files that go:',
      d.ignored.map((path) => code(path)),
    ),
  ],
  ROLLED_BACK: (d) => [
    `Rolled back to entry ${code(d.to)}${because(d.reason)}. What was there before is checkpoint ${code(d.checkpoint)}.`,
    ...bullets(
      'Restored:',
      d.restored.map((path) => code(path)),
    ),
    ...bullets(
      'Deleted, all of them made by this session:',
      d.deleted.map((path) => code(path)),
    ),
  ],
  REDACTED: (d) => [`The data of entry ${code(d.entry)} were redacted${because(d.reason)}.`],
  COMMENTED: (d) => [`Comment: ${code(d.text)}`],
  FOUND: (d) => [
    `Finding ${code(d.finding.rule)} (${d.finding.severity}): ${code(d.finding.message)}${d.finding.path === undefined ? '' : ` in ${code(d.finding.path)}`}.`,
  ],
  DELIVERED: (d) => [
    `Delivered: head ${code(d.head)} onto base ${code(d.base)}, merge result ${code(d.merge)}.`,
    ...bullets(
      'Verdicts:',
      d.verdicts.map(({ gate, verdict }) => `${code(gate)}: ${verdict}`),
    ),
  ],
  CHANGE_INTENDED: (d) => [`A change of branch ${code(d.branch)} into ${code(d.base)} is about to be opened on the forge.`],
  CHANGE_OPENED: (d) => [
    `Change ${code(d.change)} stands for the ticket on the forge.`,
    ...(d.reviewers.length === 0 ? [] : [`Asked to review it: ${codes(d.reviewers)}.`]),
  ],
  CHANGE_RETURNED: (d) => [
    `Change ${code(d.change)} came back.`,
    ...bullets(
      'From:',
      d.feedback.map(({ from, name, text }) => `${from} ${code(name)}: ${code(text)}`),
    ),
  ],
  CHANGE_CLOSED: (d) => [`Change ${code(d.change)} was closed without being merged${because(d.reason)}.`],
  REOPENED: (d) => [
    `Reopened${because(d.reason)}.`,
    ...bullets(
      'Findings:',
      d.findings.map((finding) => code(finding.message)),
    ),
  ],
}

/** For event types a newer version writes, and for data no schema knows. */
const tellAnything: Tell = (data) =>
  Object.entries(data as Record<string, unknown>)
    .filter(([key]) => key !== 'actor' && key !== 'supersedes')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `- ${code(key)}: ${code(typeof value === 'string' ? value : canonicalJson(value))}`)

function whoOf(actor: unknown): string {
  const { kind, role, runtime, name } = (actor ?? {}) as Record<string, unknown>
  const known = [role, runtime, name].filter((part) => part !== undefined).map((part) => code(String(part)))
  return `${kind === 'human' ? 'a person' : 'an agent'} (${known.join(', ')})`
}

const because = (reason: string | undefined) => (reason === undefined ? '' : `: ${code(reason)}`)
/** A candidate and its chance. */
const shareOf = ({ id, propensity }: { id: string; propensity: number }) =>
  `${code(id)} ${Number((100 * propensity).toPrecision(4))} %`
const codes = (values: readonly string[]) => values.map((value) => code(value)).join(', ')
const bullets = (title: string, items: readonly string[]) =>
  items.length === 0 ? [] : ['', title, '', ...items.map((item) => `- ${item}`)]

/** Longest value shown; the line below has all of it. */
const SHOWN = 240
/** C0 and C1 controls, soft hyphen, zero-width and direction marks, line separators, byte order mark, tag characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Returns any text as one Markdown code span on one line, control and invisible characters spelled out. */
function code(value: string): string {
  const short = value.length > SHOWN ? `${value.slice(0, SHOWN).toWellFormed()}…` : value
  const flat = short.replace(/\r?\n/g, ' ⏎ ').replace(UNSEEN, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)
  const text = flat.trim() === '' ? '(empty)' : flat
  if (!text.includes('`')) return `\`${text}\``
  const longest = Math.max(...Array.from(text.matchAll(/`+/g), ([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence} ${text} ${fence}`
}
