import { readFile } from 'node:fs/promises'
import type { Config } from '../../core/config.ts'
import { mayWrite } from '../../core/contracts/forge.ts'
import type { Issue } from '../../core/contracts/issue.ts'
import type { ValuetrainError } from '../../core/errors.ts'
import { writeNote } from '../../core/files.ts'
import type { Client } from './client.ts'
import { digestOfText, type Intent, type Intents, openedFile } from './intents.ts'
import { issueOf, openIssues, type RawIssue, rawIssue } from './issues.ts'
import type { People } from './people.ts'

/** How issues come in: which are open, which may be worked, and with what text. */
export interface Intake {
  list(): Promise<Issue[]>
  read(number: number): Promise<Issue>
  /** Lets go of the kept text of an issue whose session has it. */
  drop(number: number): Promise<void>
}

export interface IntakeOptions {
  client: Client
  people: People
  intents: Intents
  labels: Config['labels']
  stateDir: string
}

/** What happened to an issue, as much of it as is read here. */
interface IssueEvent {
  id: number
  event: string
  actor: { login: string } | null
  created_at: string
  label?: { name: string } | null
}

/** The standing of the label that starts work. */
type Allowed = { event: IssueEvent; renamedBy?: string } | { hold: string }

/** Opens the intake. Labels decide nothing by themselves: what counts is who set the label that starts work, and on what text. */
export function openIntake({ client, people, intents, labels, stateDir }: IntakeOptions): Intake {
  const auto = labels.auto
  const isLabelled = (raw: RawIssue) =>
    raw.labels.some((label) => sameLabel(typeof label === 'string' ? label : (label.name ?? ''), auto))
  const memo = new Map<number, { updated: string; allowed: Allowed }>()

  async function allowedOf(raw: RawIssue): Promise<Allowed> {
    const known = memo.get(raw.number)
    if (known?.updated === raw.updated_at) return known.allowed
    const allowed = await whoAllowed(client, people, raw.number, auto)
    memo.set(raw.number, { updated: raw.updated_at, allowed })
    return allowed
  }

  /** Issues with what is kept of them; keeps what is new. */
  async function intentsFor(raws: readonly RawIssue[]): Promise<Map<number, Intent | { hold: string }>> {
    const found = new Map<number, Intent | { hold: string }>()
    const fresh: { raw: RawIssue; event: IssueEvent; renamedBy?: string }[] = []
    const opened = await readOpened(stateDir)
    let kept = await byIssue(intents)
    let isFetched = false
    for (const raw of raws) {
      const allowed = await allowedOf(raw)
      if ('hold' in allowed) {
        found.set(raw.number, allowed)
        continue
      }
      // Its session has the text, so that there is nothing to look for.
      if (opened[raw.number] === allowed.event.id) continue
      if (!isFor(kept.get(raw.number), allowed.event) && !isFetched) {
        isFetched = true
        await intents.fetch()
        kept = await byIssue(intents)
      }
      const intent = kept.get(raw.number)
      if (intent && isFor(intent, allowed.event)) found.set(raw.number, intent)
      else fresh.push({ raw, ...allowed })
    }
    const made: Intent[] = []
    for (const { raw, event, renamedBy } of fresh) {
      const edited = renamedBy ? editedBy(renamedBy, event) : await editedSince(client, raw.number, event)
      if (edited === undefined) made.push(intentOf(raw, event))
      else found.set(raw.number, { hold: edited })
    }
    if (made.length === 0) return found
    await intents.keep(made)
    kept = await byIssue(intents)
    for (const { issue } of made) {
      const intent = kept.get(issue)
      if (intent) found.set(issue, intent)
    }
    return found
  }

  async function judged(raw: RawIssue, intent: Intent | { hold: string } | undefined, isOpen: (n: number) => Promise<boolean>) {
    if (intent === undefined) return issueOf(client, raw, isOpen)
    if ('hold' in intent) return { ...(await issueOf(client, raw, isOpen)), hold: intent.hold }
    const issue = await issueOf(client, raw, isOpen, intent)
    if (digestOfText(raw.title, raw.body ?? '') === intent.digest) return issue
    return {
      ...issue,
      hold: `edited after ${intent.by} allowed it with ${auto}; take ${auto} off and set it again to allow the new text`,
    }
  }

  return {
    async list() {
      const raws = await openIssues(client)
      const open = new Set(raws.map(({ number }) => number))
      const isOpen = (number: number) => (open.has(number) ? Promise.resolve(true) : isOpenElsewhere(client, number))
      const kept = await intentsFor(raws.filter(isLabelled))
      await sweep(intents, open)
      return Promise.all(raws.map((raw) => judged(raw, kept.get(raw.number), isOpen)))
    },
    async read(number) {
      const raw = await rawIssue(client, number)
      const isOpen = (other: number) => isOpenElsewhere(client, other)
      const kept = isLabelled(raw) && raw.state === 'open' ? await intentsFor([raw]) : new Map()
      return judged(raw, kept.get(number), isOpen)
    },
    async drop(number) {
      const allowed = memo.get(number)?.allowed
      const event = (await intents.read(number))?.event ?? (allowed && 'event' in allowed ? allowed.event.id : undefined)
      if (event !== undefined) await writeOpened(stateDir, number, event)
      await intents.drop([number])
    },
  }
}

async function byIssue(intents: Intents): Promise<Map<number, Intent>> {
  return new Map((await intents.list()).map((intent) => [intent.issue, intent]))
}

/** Labels are the same whatever their letters' case, as on GitHub. */
function sameLabel(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}

/** Who set the label last, and whether that person may. Our own account may: it opens the next part of work it was given. */
async function whoAllowed(client: Client, people: People, issue: number, auto: string): Promise<Allowed> {
  const route = 'GET /repos/{owner}/{repo}/issues/{issue_number}/events'
  const events = await client.list<IssueEvent>(route, { issue_number: issue }, 'look')
  // In the order in which they happened.
  const at = events.findLastIndex(({ event, label }) => /^(?:un)?labeled$/.test(event) && sameLabel(label?.name ?? '', auto))
  const last = events[at]
  if (last?.event !== 'labeled') return { hold: `nobody is recorded to have set ${auto}; take it off and set it again` }
  const login = last.actor?.login
  if (login === undefined) return { hold: `${auto} was set by a deleted account` }
  const renamed = events.slice(at + 1).findLast(({ event }) => event === 'renamed')
  const allowed = { event: last, ...(renamed ? { renamedBy: renamed.actor?.login ?? 'somebody' } : {}) }
  if (login === (await people.login()) || mayWrite(await people.permissionOf(login))) return allowed
  return { hold: `${auto} was set by ${login}, who has no write access` }
}

/** Held to GitHub's published schema by a test. */
export const EDITED_QUERY = `query($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { issue(number: $number) { lastEditedAt editor { login } } }
}`

/** Says that, and when, a text was edited after it was allowed; only GraphQL knows. Undefined when it was not, or nobody can tell. */
async function editedSince(client: Client, issue: number, event: IssueEvent): Promise<string | undefined> {
  const { owner, name } = client.place
  interface Edited {
    repository: { issue: { lastEditedAt: string | null; editor: { login: string } | null } | null } | null
  }
  const found = await client.graphql<Edited>(EDITED_QUERY, { owner, name, number: issue }).catch((error: ValuetrainError) => {
    // A token may be without this right; then the text is taken as it is first seen.
    if (error.code === 'VT_FORGE_REFUSED' || error.code === 'VT_FORGE_PERMISSION') return undefined
    throw error
  })
  const edited = found?.repository?.issue
  if (!edited?.lastEditedAt || Date.parse(edited.lastEditedAt) <= Date.parse(event.created_at) + 999) return undefined
  return editedBy(edited.editor?.login ?? 'somebody', event)
}

function editedBy(login: string, { actor }: IssueEvent): string {
  return `edited by ${login} after ${actor?.login} allowed it; take the label off and set it again to allow the new text`
}

/** A delivery knows who and when, and not the event's id; the clocks are both the forge's. */
function isFor(intent: Intent | undefined, event: IssueEvent): boolean {
  if (!intent) return false
  if (intent.event !== null) return intent.event === event.id
  return intent.by === event.actor?.login && Math.abs(Date.parse(intent.at) - Date.parse(event.created_at)) <= 10_000
}

function intentOf(raw: RawIssue, event: IssueEvent): Intent {
  const body = raw.body ?? ''
  return {
    v: 1,
    issue: raw.number,
    event: event.id,
    by: event.actor?.login ?? '',
    at: event.created_at,
    title: raw.title,
    body,
    digest: digestOfText(raw.title, body),
  }
}

/** Intents of issues that are open no more are leftovers. */
async function sweep(intents: Intents, open: ReadonlySet<number>): Promise<void> {
  const over = (await intents.list()).map(({ issue }) => issue).filter((issue) => !open.has(issue))
  await intents.drop(over)
}

/** Numbers that are in no list of open issues: closed, or pull requests. What is not there at all counts as open, and is told. */
async function isOpenElsewhere(client: Client, number: number): Promise<boolean> {
  try {
    const route = 'GET /repos/{owner}/{repo}/issues/{issue_number}'
    return (await client.get<RawIssue>(route, { issue_number: number }, 'look')).state === 'open'
  } catch (error) {
    if ((error as ValuetrainError).details?.status === 404) return true
    throw error
  }
}

async function readOpened(stateDir: string): Promise<Record<string, number>> {
  const text = await readFile(openedFile(stateDir), 'utf8').catch(() => '{}')
  try {
    return JSON.parse(text) as Record<string, number>
  } catch {
    return {}
  }
}

async function writeOpened(stateDir: string, issue: number, event: number): Promise<void> {
  await writeNote(openedFile(stateDir), JSON.stringify({ ...(await readOpened(stateDir)), [issue]: event }))
}
