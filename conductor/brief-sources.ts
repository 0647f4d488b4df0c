import { sha256 } from '../core/canonical.ts'
import type { BriefSources } from '../core/contracts/brief.ts'
import type { FileReader } from '../core/contracts/method.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { parseFrontMatter } from '../core/frontmatter.ts'
import { readerAt } from '../core/reader.ts'
import { loadSession } from '../sessions/index.ts'
import type { Job } from './job.ts'
import { foldTicket } from './state.ts'

/** Files in which a repository tells agents how it wants to be worked on. */
const INSTRUCTIONS = ['AGENTS.md', 'CLAUDE.md'] as const
const RISKS = '.valuetrain/risks'
/** A risk in one of these states asks nothing of the work any more. */
const SETTLED = new Set(['mitigated', 'closed', 'done', 'accepted'])
/** Earlier stretches that are looked back at. */
const STRETCHES = 8

/**
 * Gathers what a brief tells besides the ticket: the repository's own instructions and its open risks as they are at the base,
 * where no agent of this ticket can have put them, and what earlier stretches of the issue decided and left.
 */
export async function briefSources({ desk, definitions }: Pick<Job, 'desk' | 'definitions'>): Promise<BriefSources> {
  const reader = readerAt(desk.ports.repository.git, definitions.commit)
  const [instructions, risks, earlier] = await Promise.all([instructionsOf(reader), risksOf(reader), earlierOf(desk)])
  return { instructions, risks, earlier }
}

/** Returns what each source was, for the log: a path, or a ticket, with the digest of what the brief was given of it. */
export function sourceDigests({ instructions, risks, earlier }: BriefSources): { source: string; digest: string }[] {
  return [
    ...[...instructions, ...risks].map(({ path, text }) => ({ source: path, digest: sha256(text) })),
    ...earlier.map(({ ticket, decisions, handOffs }) => ({
      source: ticket,
      digest: sha256([...decisions, ...handOffs].join('\n')),
    })),
  ]
}

async function instructionsOf(reader: FileReader): Promise<BriefSources['instructions']> {
  const found = await Promise.all(INSTRUCTIONS.map(async (path) => ({ path, text: (await reader.read(path))?.trim() ?? '' })))
  // Many repositories have one file say what the other does, or only name it.
  return found.filter(
    ({ text }, index) => text !== '' && !/^@\S+$/.test(text) && found.findIndex((other) => other.text === text) === index,
  )
}

async function risksOf(reader: FileReader): Promise<BriefSources['risks']> {
  const names = (await reader.list(RISKS)).filter((name) => name.endsWith('.md')).sort()
  const read = await Promise.all(
    names.map(async (name) => ({ path: `${RISKS}/${name}`, text: (await reader.read(`${RISKS}/${name}`)) ?? '' })),
  )
  return read.filter(({ path, text }) => text.trim() !== '' && !SETTLED.has(stateOf(text, path)))
}

/** A file whose head cannot be read is told: what nobody can read may well be open. */
function stateOf(text: string, path: string): string {
  try {
    const { data } = parseFrontMatter(text, path)
    return String(data.status ?? data.state ?? '').toLowerCase()
  } catch {
    return ''
  }
}

async function earlierOf(desk: Job['desk']): Promise<BriefSources['earlier']> {
  const { state, ports } = desk
  const earlier: BriefSources['earlier'] = []
  let ticket = state.ledger.opened?.after
  while (ticket !== undefined && earlier.length < STRETCHES) {
    const folder = ticketFolder(ticket)
    const { entries } = await loadSession(readerAt(ports.repository.git, await desk.tip()), ticket)
    if (entries.length === 0) break
    const { ledger, control } = foldTicket(ticket, entries)
    earlier.unshift({ ticket, folder, mode: control.mode ?? 'build', decisions: ledger.notes, handOffs: ledger.handOffs })
    ticket = ledger.opened?.after
  }
  return earlier.filter(({ decisions, handOffs }) => decisions.length + handOffs.length > 0)
}
