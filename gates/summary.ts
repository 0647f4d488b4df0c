import type { Config } from '../core/config.ts'
import type { PlacedEntry } from '../core/contracts/event.ts'
import type { GateResult } from '../core/contracts/gate.ts'
import { branchOf } from '../core/contracts/names.ts'
import type { Git } from '../core/git.ts'
import { requireRevision } from '../core/refs.ts'
import { unnamedCommands } from './builtin/commands.ts'
import { latestOf } from './decide.ts'
import { eventsOf } from './view.ts'

/** What a change summary tells, all of it data. */
export interface SummaryFacts {
  ticket: string
  issue: { number: number; title: string } | undefined
  files: readonly { path: string; status: 'added' | 'changed' | 'deleted'; added: number | null; removed: number | null }[]
  /** Oldest first, without the conductor's own record. */
  commits: readonly { id: string; title: string }[]
  verdicts: readonly Pick<GateResult, 'gate' | 'verdict' | 'severity' | 'reasons'>[]
  /** Commands that the configuration does not name. */
  notConfigured: readonly string[]
  overridden: readonly { gate: string; by: string; reason: string }[]
  decisions: readonly string[]
  base: string
}

/**
 * Returns the change summary as Markdown: what changed, why, what was asked of it, what was not, and how to review it.
 * Pure; the same facts give the same bytes.
 */
export function summaryText(facts: SummaryFacts): string {
  const { ticket, issue } = facts
  const title = issue ? oneLine(issue.title, 120) : ticket
  const opening = [`# ${shown(title)}`, `Ticket ${ticket}${issue ? `, issue ${issue.number}` : ''}.`]
  const sections = summarySections(facts).flatMap(({ heading, blocks }) => [`## ${heading}`, ...blocks])
  return `${[...opening, ...sections].join('\n\n')}\n`
}

/** One part of a summary: its heading, and what stands below it. */
export interface SummarySection {
  heading: 'Why' | 'What' | 'Commits' | 'Decisions' | 'Gates' | 'Overridden' | 'How to review'
  blocks: string[]
}

/** Returns the parts of a change summary that have something to tell, in their order. */
export function summarySections(facts: SummaryFacts): SummarySection[] {
  const { issue, files, commits, decisions, overridden } = facts
  const added = sum(files.map((file) => file.added))
  const removed = sum(files.map((file) => file.removed))
  const why = issue ? `Issue ${issue.number} asks for it: ${shown(oneLine(issue.title, 500))}` : 'The session names no issue.'
  const what = [
    files.length === 0
      ? 'No file outside `.valuetrain` is changed.'
      : `${plural(files.length, 'file')}, ${plural(added, 'line')} added, ${removed} removed.`,
    ...(files.length === 0 ? [] : [listOf(files.map(fileLine), MOST_LINES, 'file')]),
  ]
  const commitLines = commits.map(({ id, title: text }) => `- ${id.slice(0, 8)} ${shown(oneLine(text, 120))}`)
  const decisionLines = decisions.map((text) => `- ${shown(oneLine(text, 300))}`)
  const overrides = overridden.map(({ gate, by, reason }) => `- ${gate}, by ${shown(by)}: ${shown(oneLine(reason, 300))}`)
  const gates = [
    facts.verdicts.length === 0 ? 'No gate has been judged yet.' : verdictTable(facts.verdicts),
    ...(facts.notConfigured.length === 0
      ? []
      : [
          `Not configured, so nobody looked: ${facts.notConfigured.join(', ')}. Name the commands in \`.valuetrain/config.yaml\` to have them asked.`,
        ]),
  ]
  const all: SummarySection[] = [
    { heading: 'Why', blocks: [why] },
    { heading: 'What', blocks: what },
    { heading: 'Commits', blocks: commits.length === 0 ? [] : [listOf(commitLines, MOST_LINES, 'commit')] },
    { heading: 'Decisions', blocks: decisions.length === 0 ? [] : [listOf(decisionLines, MOST_LINES, 'decision')] },
    { heading: 'Gates', blocks: gates },
    { heading: 'Overridden', blocks: overridden.length === 0 ? [] : [overrides.join('\n')] },
    { heading: 'How to review', blocks: [listOf(reviewSteps(facts), MOST_LINES, 'step')] },
  ]
  return all.filter(({ blocks }) => blocks.length > 0)
}

/** What the facts of a change summary are read from. */
export interface SummarySource {
  git: Git
  /** Commit that the branch starts from. */
  base: string
  head: string
  ticket: string
  issue: { number: number; title: string } | undefined
  entries: readonly PlacedEntry[]
  config: Config
}

/** Returns the change summary of a branch, from its diff, its commits and its session. */
export async function renderSummary(of: SummarySource): Promise<string> {
  return summaryText(await readSummary(of))
}

/** Reads what there is to tell of a branch: its diff, its commits and its session. */
export async function readSummary(of: SummarySource): Promise<SummaryFacts> {
  const { git, ticket, issue, entries, config } = of
  const [base, head] = [requireRevision(of.base), requireRevision(of.head)]
  const outside = [':/', ':(exclude,top).valuetrain']
  const range = ['--no-renames', '-r', '-z', `${base}...${head}`, '--', ...outside]
  const counts = await git.fields(['diff', '--numstat', ...range])
  const letters = await git.fields(['diff', '--name-status', ...range])
  const statuses = new Map(letters.flatMap((letter, at) => (at % 2 === 0 ? [[letters[at + 1] ?? '', letter] as const] : [])))
  const log = await git.fields(['log', '--reverse', '--no-merges', '--format=%H%x09%s%x00', `${base}..${head}`, '--', ...outside])
  return {
    ticket,
    issue,
    files: counts.map((line) => {
      const [added = '', removed = '', path = ''] = split(line)
      return { path, status: STATUS[statuses.get(path) ?? 'M'] ?? 'changed', added: lines(added), removed: lines(removed) }
    }),
    commits: log
      .map((line) => line.trimStart())
      .filter(Boolean)
      .map((line) => ({ id: line.slice(0, line.indexOf('\t')), title: line.slice(line.indexOf('\t') + 1) })),
    verdicts: [...latestOf(eventsOf(entries, 'GATE_JUDGED').map(({ data }) => data.result)).values()],
    notConfigured: unnamedCommands(config),
    overridden: eventsOf(entries, 'OVERRIDDEN').map(({ data }) => ({
      gate: data.gate,
      by: data.actor.name ?? 'a person',
      reason: data.reason,
    })),
    decisions: eventsOf(entries, 'TURN_ENDED').flatMap(({ data }) => data.decisions),
    base: of.base,
  }
}

const MOST_LINES = 100
const STATUS: Readonly<Record<string, 'added' | 'changed' | 'deleted'>> = { A: 'added', M: 'changed', T: 'changed', D: 'deleted' }

function verdictTable(verdicts: SummaryFacts['verdicts']): string {
  const rows = verdicts.map(({ gate, verdict, severity, reasons }) => {
    const what = severity === 'warn' && verdict !== 'pass' ? `${verdict} (warning)` : verdict
    return `| ${gate} | ${what} | ${cell(reasons[0] ?? '')} |`
  })
  return ['| gate | verdict | reason |', '|---|---|---|', ...rows].join('\n')
}

function reviewSteps({ ticket, files, base, verdicts, overridden }: SummaryFacts): string[] {
  const biggest = [...files].sort((a, b) => (b.added ?? 0) + (b.removed ?? 0) - (a.added ?? 0) - (a.removed ?? 0)).slice(0, 3)
  const open = verdicts.filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive').map(({ gate }) => gate)
  return [
    `- Read the change: \`git diff ${base.slice(0, 12)}...${branchOf(ticket)}\``,
    ...(biggest.length === 0 ? [] : [`- Begin where most changed: ${biggest.map(({ path }) => code(path)).join(', ')}`]),
    ...(open.length === 0 ? [] : [`- Look at what did not pass: ${open.join(', ')}`]),
    ...(overridden.length === 0 ? [] : ['- Look at what was overridden, and whether the reason holds']),
    `- See how it came about: \`valuetrain session log ${ticket}\``,
  ]
}

function fileLine({ path, status, added, removed }: SummaryFacts['files'][number]): string {
  const count = added === null || removed === null ? 'binary' : `+${added} -${removed}`
  return `- ${code(path)} ${status}, ${count}`
}

function listOf(items: readonly string[], most: number, noun: string): string {
  const rest = items.length - most
  return [...items.slice(0, most), ...(rest > 0 ? [`- and ${rest} more ${noun}${rest === 1 ? '' : 's'}`] : [])].join('\n')
}

/** `<added>\t<removed>\t<path>`; a path may hold tabs of its own. */
function split(line: string): [string, string, string] {
  const first = line.indexOf('\t')
  const second = line.indexOf('\t', first + 1)
  return [line.slice(0, first), line.slice(first + 1, second), line.slice(second + 1)]
}

function lines(text: string): number | null {
  return text === '-' ? null : Number(text)
}

function oneLine(text: string, most: number): string {
  const line = text.replace(/\s+/g, ' ').trim().toWellFormed()
  return line.length > most ? `${line.slice(0, most - 1).toWellFormed()}…` : line
}

/** Titles come from outside; they are shown, not rendered. */
function shown(text: string): string {
  return text.replace(/[\\`*_{}[\]<>#|~]/g, '\\$&')
}

function cell(text: string): string {
  return shown(oneLine(text, 160))
}

function code(path: string): string {
  const fence = path.includes('`') ? '``' : '`'
  return `${fence}${path.replace(/\s/g, ' ')}${fence}`
}

function plural(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function sum(numbers: readonly (number | null)[]): number {
  return numbers.reduce<number>((total, number) => total + (number ?? 0), 0)
}
