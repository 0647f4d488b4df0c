import type { ForgeComment } from '../../core/contracts/forge.ts'
import type { ValuetrainError } from '../../core/errors.ts'
import type { Client } from './client.ts'
import type { RawIssue } from './issues.ts'
import type { People } from './people.ts'
import { markerOf, publishable } from './text.ts'

interface RawComment {
  id: number
  body?: string | null
  user: { login: string } | null
  issue_url: string
  created_at: string
}

const HOUR_MS = 3_600_000

/**
 * Returns people's comments since an instant, oldest first: all but those that we made, which carry a mark, since a person may
 * have lent us their own account. The address that is asked changes once an hour only, so
 * that asking again costs nothing while nobody speaks.
 */
export async function commentsSince(client: Client, people: People, since: string): Promise<ForgeComment[]> {
  const from = Date.parse(since)
  const hour = new Date(Math.floor(from / HOUR_MS) * HOUR_MS).toISOString().replace('.000Z', 'Z')
  const query = { since: hour, sort: 'updated', direction: 'asc' }
  const all = await client.list<RawComment>('GET /repos/{owner}/{repo}/issues/comments', query, 'look')
  const own = await people.login()
  const isOurs = ({ user, body }: RawComment) => user?.login === own && /<!-- valuetrain \S+ -->\s*$/.test(body ?? '')
  const others = all.filter((one) => one.user !== null && !isOurs(one) && Date.parse(one.created_at) >= from)
  const found = others.map(async (comment): Promise<ForgeComment> => {
    const login = comment.user?.login as string
    return {
      id: String(comment.id),
      number: Number(/\/(\d+)$/.exec(comment.issue_url)?.[1]),
      login,
      permission: await people.permissionOf(login),
      body: comment.body ?? '',
      at: comment.created_at,
    }
  })
  return (await Promise.all(found)).sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || Number(a.id) - Number(b.id))
}

/** Comments once for a key: a comment of ours that carries it is found again, whatever became of the answer. */
export async function commentOnce(client: Client, people: People, number: number, key: string, body: string): Promise<void> {
  const marker = markerOf(key)
  const own = await people.login()
  await client.once(
    async () => {
      const route = 'GET /repos/{owner}/{repo}/issues/{issue_number}/comments'
      const all = await client.list<RawComment>(route, { issue_number: number })
      return all.find((comment) => comment.user?.login === own && comment.body?.includes(marker.trim()))
    },
    (post) =>
      post<RawComment>('POST /repos/{owner}/{repo}/issues/{issue_number}/comments', {
        issue_number: number,
        body: publishable(body, marker),
      }),
  )
}

/** Shows a standing by labels and assignment. What is so already is not asked for. */
export async function showStanding(
  client: Client,
  people: People,
  number: number,
  { add = [], remove = [], assign }: { add?: readonly string[]; remove?: readonly string[]; assign?: boolean },
): Promise<void> {
  const at = { issue_number: number }
  const now = await client.get<RawIssue>('GET /repos/{owner}/{repo}/issues/{issue_number}', at)
  const has = new Set(now.labels.map((label) => (typeof label === 'string' ? label : (label.name ?? ''))))
  const labels = [...new Set(add)].filter((label) => !has.has(label))
  if (labels.length > 0) await client.put('POST /repos/{owner}/{repo}/issues/{issue_number}/labels', { ...at, labels })
  for (const name of new Set(remove)) {
    if (!has.has(name)) continue
    const gone = client.put('DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}', { ...at, name })
    // Somebody else took it off meanwhile.
    await gone.catch((error: ValuetrainError) => {
      if (error.details?.status !== 404) throw error
    })
  }
  // A bot cannot be assigned.
  const own = await people.login()
  if (assign === undefined || own.endsWith('[bot]')) return
  const isAssigned = (now.assignees ?? []).some(({ login }) => login === own)
  if (isAssigned === assign) return
  await client.put(`${assign ? 'POST' : 'DELETE'} /repos/{owner}/{repo}/issues/{issue_number}/assignees`, {
    ...at,
    assignees: [own],
  })
}
