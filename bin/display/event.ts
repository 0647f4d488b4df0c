import type { EventData, EventType, PlacedEntry } from '../../core/contracts/event.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import { clean, counted, duration, shorten } from './text.ts'

/** How much an event matters to somebody watching: `milestone` stays on the screen, `detail` only moves the live line. */
export type Weight = 'milestone' | 'detail'

/** One event in a few words. `tone` says how to colour it. */
export interface Told {
  text: string
  weight: Weight
  tone: 'plain' | 'good' | 'bad' | 'warn'
}

type Tell<T extends EventType> = (data: EventData<T>) => Told | string

/** Returns an event in one line of plain words; a redacted one says so. Outside text in it is made harmless. */
export function tellEvent(entry: PlacedEntry): Told {
  if (entry.data === null) return { text: `${entry.type} (redacted)`, weight: 'detail', tone: 'plain' }
  const tell = TELL[entry.type] as Tell<EventType> | undefined
  const told = tell?.(entry.data) ?? entry.type
  return typeof told === 'string' ? { text: told, weight: 'detail', tone: 'plain' } : told
}

/** Returns a finding as people read it: `path:line message (rule)`. */
export function tellFinding(finding: Finding): string {
  const { path, line, message, rule } = finding
  const at = path === undefined || message.includes(path) ? '' : `${clean(path)}${line === undefined ? '' : `:${line}`} `
  return `${at}${clean(message)} (${rule})`
}

const milestone = (text: string, tone: Told['tone'] = 'plain'): Told => ({ text, weight: 'milestone', tone })
const said = (text: string | undefined) => (text === undefined || text === '' ? '' : `: ${shorten(clean(text), 200)}`)
const all = (reasons: readonly string[]) => said(reasons.join('; '))

const TELL: { [T in EventType]: Tell<T> } = {
  TICKET_OPENED: (d) =>
    milestone(`opened for #${d.issue.number} ${shorten(clean(d.issue.title), 60)} (${d.pipeline}, worked by ${d.runtime})`),
  SEGMENT_OPENED: (d) => milestone(`continues (${d.reason})`),
  LINE_SET_ASIDE: (d) => milestone(`a line torn by a crash was set aside, ${d.bytes} bytes kept as ${d.kept}`, 'warn'),
  PHASE_ENTERED: (d) =>
    milestone(
      `enters ${d.phase}: ${d.child ? `${d.mode}.${d.child}` : d.mode}${d.attempt > 1 ? `, attempt ${d.attempt}` : ''} (${counted(d.required.length, 'gate')})`,
    ),
  ROUTED: (d) =>
    `${clean(d.policy)} chose ${clean(d.chosen)}${d.watched === undefined ? '' : `, ${clean(d.watched.policy)} watches`}`,
  BRIEFED: (d) => `${d.role} briefed on ${d.runtime}`,
  TURN_STARTED: (d) =>
    d.jailed === false
      ? milestone(`${d.runtime} works without a jail, attempt ${d.attempt}`, 'warn')
      : `${d.runtime} works, attempt ${d.attempt}`,
  INTENT_STATED: (d) =>
    d.allowed
      ? `asks to ${d.intent?.kind ?? 'do something'}`
      : milestone(
          `${d.intent === undefined ? 'an intent' : `the wish to ${d.intent.kind}`} was refused${all(d.reasons)}`,
          'warn',
        ),
  INTENT_SETTLED: (d) => milestone(clean(d.how), d.done ? 'plain' : 'warn'),
  TOOL_REFUSED: (d) => milestone(`tool ${clean(d.tool)} refused${said(d.reason)}`, 'warn'),
  MODEL_CALLED: (d) =>
    `${clean(d.model)} ${d.outcome}: ${d.tokens.input + d.tokens.cacheRead + d.tokens.cacheWrite + d.tokens.cacheWriteLong} in, ${d.tokens.output} out, ${d.costUsd === null ? 'cost unknown' : `$${d.costUsd}`}`,
  TURN_ENDED: (d) =>
    d.outcome === 'completed'
      ? `turn completed${said(d.reason)}`
      : milestone(`turn ${d.outcome}${said(d.reason)}`, d.outcome === 'handed-off' || d.outcome === 'limited' ? 'warn' : 'bad'),
  TURN_INTERRUPTED: (d) =>
    milestone(`the interrupted turn is worked again${d.rescue ? `; what it left is in ${d.rescue}` : ''}`, 'warn'),
  WORK_INTENDED: () => 'commits the work',
  WORK_COMMITTED: (d) => milestone(`committed ${d.commit.slice(0, 9)}: ${counted(d.files, 'file')}, +${d.added} -${d.removed}`),
  WORK_UNCHANGED: () => milestone('nothing was changed', 'warn'),
  ARTIFACT_WRITTEN: (d) => `wrote ${clean(d.path)}`,
  GATE_JUDGED: (d) => tellGate(d),
  ITEM_TICKED: (d) => `ticked ${d.item}`,
  DECIDED: (d) => tellDecision(d),
  CHECK_IN_ASKED: (d) =>
    milestone(`asks: ${clean(d.question)} (${d.options.join(', ')}; recommended: ${d.recommendation})`, 'warn'),
  CHECK_IN_ANSWERED: (d) => milestone(`${d.moment} answered: ${clean(d.option)}${said(d.reason)}`),
  APPROVED: (d) => milestone(`${d.gate} approved${said(d.reason)}`, 'good'),
  OVERRIDDEN: (d) => milestone(`${d.gate} overridden${said(d.reason)}`, 'warn'),
  WAITING_BEGUN: (d) => milestone(`waits${said(d.on)}${d.until ? ` until ${d.until}` : ''}`, 'warn'),
  WAITING_ENDED: (d) => `no longer waits: ${clean(d.by)}`,
  PAUSED: (d) => milestone(`paused${said(d.reason)}`, 'warn'),
  RESUMED: (d) => milestone(`resumed${said(d.reason)}`),
  ABORTED: (d) => milestone(`aborted${said(d.reason)}`, 'bad'),
  CHILD_INTENDED: (d) => `opens a child issue: ${shorten(clean(d.title), 60)}`,
  CHILD_OPENED: (d) => milestone(`opened child issue #${d.issue}`),
  CHILD_DONE: (d) => milestone(`child issue #${d.issue} is done`, 'good'),
  CHILDREN_SETTLED: (d) => `${counted(d.issues.length, 'child issue')} settled`,
  RESCUED: (d) => milestone(`set aside ${counted(d.files, 'uncommitted file')} in ${d.ref}`, 'warn'),
  ROLLED_BACK: (d) => milestone(`rolled back to ${d.to}${said(d.reason)}`, 'warn'),
  REDACTED: (d) => milestone(`entry ${d.entry} redacted${said(d.reason)}`, 'warn'),
  COMMENTED: (d) => milestone(`comment${said(d.text)}`),
  FOUND: (d) => milestone(tellFinding(d.finding), d.finding.severity === 'error' ? 'bad' : 'warn'),
  DELIVERED: (d) => milestone(`delivered: ${counted(d.verdicts.length, 'verdict')} on the merge result`, 'good'),
  CHANGE_INTENDED: () => 'opens the change on the forge',
  CHANGE_OPENED: (d) => milestone(`change ${clean(d.change)} is open on the forge`),
  CHANGE_RETURNED: (d) =>
    milestone(`change ${clean(d.change)} came back from ${clean(d.feedback.map(({ name }) => name).join(', '))}`, 'warn'),
  CHANGE_CLOSED: (d) => milestone(`change ${clean(d.change)} was closed${said(d.reason)}`, 'bad'),
  REOPENED: (d) => milestone(`reopened${said(d.reason)}`, 'warn'),
}

function tellGate({ result }: EventData<'GATE_JUDGED'>): Told | string {
  const took = result.evidence.durationMs === undefined ? '' : ` in ${duration(result.evidence.durationMs)}`
  const reused = result.reusedFrom === undefined ? took : ', known already'
  if (result.verdict === 'pass' || result.verdict === 'not-applicable') return `gate ${result.gate}: ${result.verdict}${reused}`
  const tone = result.verdict === 'waived' || result.severity === 'warn' ? 'warn' : 'bad'
  return milestone(`gate ${result.gate}: ${result.verdict}${all(result.reasons)}`, tone)
}

function tellDecision(d: EventData<'DECIDED'>): Told | string {
  if (d.outcome === 'advance') return milestone(`${d.phase} passes${d.to ? `, next ${d.to}` : ''}`, 'good')
  if (d.outcome === 'block') return milestone(`blocked (${d.code})${all(d.reasons)}`, 'bad')
  if (d.outcome === 'kill') return milestone(`ended (${d.code})${all(d.reasons)}`, 'bad')
  const verb = { iterate: 'tries again', hold: 'holds', recycle: `goes back to ${d.to ?? 'the start'}` }[d.outcome]
  return milestone(`${verb} (${d.code})${all(d.reasons)}`, 'warn')
}
