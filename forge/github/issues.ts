import type { Issue, IssueDraft } from '../../core/contracts/issue.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { foldTitle } from '../title.ts'
import type { Client } from './client.ts'
import { markerOf, noted, publishable, publishableTitle, visibleText } from './text.ts'

/** An issue as the API shows it, as much of it as is read here. Pull requests come in the same lists. */
export interface RawIssue {
  id: number
  number: number
  title: string
  body?: string | null
  state: string
  user: { login: string } | null
  labels: (string | { name?: string })[]
  assignees?: { login: string }[] | null
  created_at: string
  updated_at: string
  html_url: string
  pull_request?: unknown
  issue_dependencies_summary?: { blocked_by: number }
  parent_issue_url?: string | null
}

/** Returns all open issues, without the pull requests among them. */
export async function openIssues(client: Client): Promise<RawIssue[]> {
  // Oldest first and by creation, so that a label or comment that comes meanwhile moves none to another page.
  const query = { state: 'open', sort: 'created', direction: 'asc' }
  const all = await client.list<RawIssue>('GET /repos/{owner}/{repo}/issues', query, 'look')
  const byNumber = new Map(all.filter((issue) => issue.pull_request === undefined).map((issue) => [issue.number, issue]))
  return [...byNumber.values()]
}

/** @throws VT_ISSUE_UNKNOWN when there is no such issue, or it is a pull request */
export async function rawIssue(client: Client, number: number): Promise<RawIssue> {
  const unknown = (what: string) =>
    new ValuetrainError('VT_ISSUE_UNKNOWN', `${what} ${number} in ${client.place.owner}/${client.place.name}`, {
      hint: '`valuetrain issue list` shows the issues',
      details: { number },
    })
  try {
    const found = await client.get<RawIssue>('GET /repos/{owner}/{repo}/issues/{issue_number}', { issue_number: number })
    if (found.pull_request === undefined) return found
  } catch (error) {
    if ((error as ValuetrainError).details?.status === 404) throw unknown('there is no issue')
    throw error
  }
  throw unknown('it is a pull request that has the number')
}

/**
 * Returns an issue in the shape all forges share, with the text a reader sees.
 *
 * @param isOpen tells of another number whether that is still open; a blocker that is not is left out
 */
export async function issueOf(
  client: Client,
  raw: RawIssue,
  isOpen: (number: number) => Promise<boolean>,
  text: { title: string; body: string } = { title: raw.title, body: raw.body ?? '' },
): Promise<Issue> {
  const parent = Number(/\/issues\/(\d+)$/.exec(raw.parent_issue_url ?? '')?.[1]) || undefined
  const title = visibleText(text.title)
  const body = visibleText(text.body)
  const hidden = [...title.hidden.map((what) => `${what} in the title`), ...body.hidden]
  return {
    number: raw.number,
    title: title.text.replace(/\s+/g, ' ').trim() || `Issue ${raw.number}`,
    body: noted({ text: body.text, hidden }),
    labels: raw.labels.map((label) => (typeof label === 'string' ? label : (label.name ?? ''))).filter((name) => name !== ''),
    assignees: (raw.assignees ?? []).map(({ login }) => login),
    state: raw.state === 'closed' ? 'closed' : 'open',
    createdAt: raw.created_at,
    blockedBy: await blockersOf(client, raw, body.text, isOpen),
    ...(parent === undefined ? {} : { parent }),
    location: raw.html_url,
  }
}

/**
 * Opens an issue once for its key, with its relations.
 *
 * @param key says what it is opened for; the same key finds the same issue, open or closed
 */
export async function newIssue(client: Client, login: string, draft: IssueDraft, key: string): Promise<RawIssue> {
  const marker = markerOf(`issue:${key}`)
  const raw = await client.once(
    async () => {
      const query = { state: 'all', creator: login, sort: 'created', direction: 'desc' }
      const own = await client.list<RawIssue>('GET /repos/{owner}/{repo}/issues', query)
      return own.find((issue) => issue.body?.includes(marker.trim()) && issue.pull_request === undefined)
    },
    (post) =>
      post<RawIssue>('POST /repos/{owner}/{repo}/issues', {
        title: publishableTitle(foldTitle(draft.title)),
        body: publishable(draft.body, marker),
        labels: [...new Set(draft.labels ?? [])],
        assignees: [...new Set(draft.assignees ?? [])],
      }),
  )
  await relate(client, raw, draft)
  return rawIssue(client, raw.number)
}

async function relate(client: Client, raw: RawIssue, { blockedBy = [], parent }: IssueDraft): Promise<void> {
  const blockers = 'GET /repos/{owner}/{repo}/issues/{issue_number}/dependencies/blocked_by'
  const known = blockedBy.length === 0 ? [] : await client.list<RawIssue>(blockers, { issue_number: raw.number })
  for (const number of new Set(blockedBy)) {
    if (known.some((issue) => issue.number === number)) continue
    const { id } = await rawIssue(client, number)
    await client.put(blockers.replace('GET', 'POST'), { issue_number: raw.number, issue_id: id })
  }
  if (parent !== undefined && raw.parent_issue_url?.endsWith(`/issues/${parent}`) !== true) {
    await client.put('POST /repos/{owner}/{repo}/issues/{issue_number}/sub_issues', {
      issue_number: parent,
      sub_issue_id: raw.id,
    })
  }
}

/** Relations that GitHub keeps, and those that people write: `blocked by #3`, `Depends on: #3, #4 and #5`. */
async function blockersOf(
  client: Client,
  raw: RawIssue,
  body: string,
  isOpen: (number: number) => Promise<boolean>,
): Promise<number[]> {
  const kept =
    (raw.issue_dependencies_summary?.blocked_by ?? 0) > 0
      ? await client.list<RawIssue>(
          'GET /repos/{owner}/{repo}/issues/{issue_number}/dependencies/blocked_by',
          { issue_number: raw.number },
          'look',
        )
      : []
  const inText = [...body.matchAll(/\b(?:blocked by|depends on)\b:?\s*((?:#\d{1,9}(?:\s*,\s*|\s+and\s+|\s*&\s*)?)+)/gi)]
  const written = inText.flatMap(([, list = '']) => [...list.matchAll(/#(\d+)/g)].map(([, number]) => Number(number)))
  const open = kept.filter(({ state }) => state === 'open').map(({ number }) => number)
  for (const number of new Set(written)) if (number !== raw.number && number > 0 && (await isOpen(number))) open.push(number)
  return [...new Set(open)].sort((a, b) => a - b)
}
