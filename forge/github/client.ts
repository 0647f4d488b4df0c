import { retry } from '@octokit/plugin-retry'
import { throttling } from '@octokit/plugin-throttling'
import { Octokit } from '@octokit/rest'
import type { Clock } from '../../core/clock.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { AnswerCache } from './cache.ts'
import type { Credentials } from './credentials.ts'
import { troubleOf, waitUntil } from './errors.ts'
import { type Place, pageOf } from './place.ts'

/** How long an outage or a limit is waited for before the caller hears of it. */
export const PATIENCE_MS = 15 * 60_000
const LONGEST_PAUSE_MS = 60_000
/**
 * Points in any one minute: one for reading, five for writing, answers that say "not modified" among them. GitHub's secondary
 * limit is 900, and 2,000 for GraphQL.
 *
 * @see https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#calculating-points-for-the-secondary-rate-limit
 */
const POINTS_A_MINUTE = 800
const READING = 1
const WRITING = 5
/** Within one round of looking the same thing is asked about by many tickets. */
const ROUND_MS = 1_000

export interface ClientOptions {
  place: Place
  credentials: Credentials
  cache: AnswerCache
  clock: Clock
  /** Requests of the hourly limit that looking never uses up, so that there are some left for writing. */
  reserve: number
  /** Milliseconds between two writes. */
  writeEveryMs: number
  signal?: AbortSignal
  /** Milliseconds to wait for an outage or limit to end; 15 minutes unless told. */
  patienceMs?: number
  /** Hears of every wait, in a few words. */
  onWait?: (text: string) => void
}

export type Params = Record<string, unknown>

/**
 * Whether an answer is needed, or a look that may wait when only the reserve of the hourly limit is left, or a glance: a look
 * that another one of the same round answers, too.
 */
export type Use = 'need' | 'look' | 'glance'

/** Asks the API for one repository, within its limits. `owner` and `repo` are put into every request. */
export interface Client {
  readonly place: Place
  readonly credentials: Credentials
  /** Reads one thing, from the cache when the forge says it is unchanged. */
  get<T>(route: string, params?: Params, use?: Use): Promise<T>
  /** Reads all pages of a list, each from the cache when it is unchanged. */
  list<T>(route: string, params?: Params, use?: Use): Promise<T[]>
  /**
   * Writes something that may be written twice without harm (a replacement, a removal), again and again until there is an
   * answer.
   */
  put<T>(route: string, params?: Params): Promise<T>
  /**
   * Makes something that must not be there twice: looks for it before each try, so that what a broken connection hid is
   * adopted.
   */
  once<T>(
    find: () => Promise<T | undefined>,
    make: (post: <U>(route: string, params?: Params) => Promise<U>) => Promise<T>,
  ): Promise<T>
  /** Asks what only GraphQL has. Queries must be repeatable. */
  graphql<T>(query: string, variables: Params): Promise<T>
  /** What is left of the hourly limit as far as it was seen. */
  limit(): { remaining: number | undefined }
  /** Headers of the last answer that came from the network, lower case. */
  lastHeaders(): Readonly<Record<string, string | number | undefined>>
}

/** Opens a client. Nothing is asked before the first call. */
export function openClient(options: ClientOptions): Client {
  const { place, credentials, cache, clock, signal } = options
  const octokit = openOctokit(options)
  const patienceMs = options.patienceMs ?? PATIENCE_MS
  let seen: Record<string, string | number | undefined> = {}
  let budget: { remaining: number; until: number } | undefined
  const recent: { at: number; points: number }[] = []
  const rounds = new Map<string, { at: number; answer: Promise<{ data: unknown; next?: string }> }>()

  /** Sends one request, and takes note of what the answer says about limits. */
  async function send(route: string, params: Params) {
    const isRead = route.startsWith('GET ')
    if (!isRead) rounds.clear()
    await spread(isRead ? READING : WRITING)
    try {
      const response = await octokit.request(route, {
        ...addressed(route, place),
        ...params,
        request: { redirect: 'manual', ...(signal ? { signal } : {}) },
      })
      note(response.headers)
      if (response.status >= 300) throw await movedTo(String(response.headers.location ?? ''))
      return response
    } catch (error) {
      note((error as { response?: { headers?: Record<string, string> } }).response?.headers)
      throw error
    }
  }

  /** A repository that goes by another name answers with where it is now; following it in silence would write somewhere else. */
  async function movedTo(location: string): Promise<ValuetrainError> {
    const [, byName, byId] = /\/(?:repos\/([^/]+\/[^/?]+)|(repositories\/\d+))/.exec(location) ?? []
    const asked = byId ? await octokit.request(`GET /${byId}`).catch(() => undefined) : undefined
    const name = byName ?? (asked?.data as { full_name?: string } | undefined)?.full_name ?? 'another name'
    return new ValuetrainError('VT_FORGE_MOVED', `${place.owner}/${place.name} has moved to ${name}`, {
      kind: 'environment',
      hint: `run \`git remote set-url origin ${pageOf(place).replace(`${place.owner}/${place.name}`, name)}.git\``,
    })
  }

  function note(headers: Record<string, string | number | undefined> | undefined): void {
    if (!headers) return
    seen = headers
    const remaining = Number(headers['x-ratelimit-remaining'])
    const isCore = (headers['x-ratelimit-resource'] ?? 'core') === 'core'
    if (isCore && Number.isFinite(remaining)) budget = { remaining, until: clock.monotonic() + waitUntil(headers) }
  }

  async function spread(points: number): Promise<void> {
    const sum = () => recent.reduce((all, one) => all + one.points, 0)
    for (;;) {
      const now = clock.monotonic()
      while (recent[0] && now - recent[0].at >= 60_000) recent.shift()
      if (recent[0] === undefined || sum() + points <= POINTS_A_MINUTE) break
      await clock.sleep(60_000 - (now - recent[0].at), signal)
    }
    recent.push({ at: clock.monotonic(), points })
  }

  /** Tries until there is an answer, a refusal, or no more patience. */
  async function patiently<T>(route: string, ask: () => Promise<T>): Promise<T> {
    const giveUp = clock.monotonic() + patienceMs
    for (let tries = 0; ; tries++) {
      try {
        return await ask()
      } catch (cause) {
        signal?.throwIfAborted()
        const trouble = troubleOf(cause, { place, route, source: credentials.source })
        if (trouble.kind === 'refusal') throw trouble.error
        const pause = trouble.kind === 'limit' ? trouble.waitMs : Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** tries)
        if (clock.monotonic() + pause > giveUp) throw trouble.error
        options.onWait?.(`${trouble.error.message}; trying again in ${Math.ceil(pause / 1000)} s`)
        await clock.sleep(pause, signal)
      }
    }
  }

  /** Looking stops where the reserve begins: what is cached is given as it is, and anything else has to wait. */
  function isSpare(): boolean {
    return budget === undefined || budget.remaining > options.reserve || clock.monotonic() >= budget.until
  }

  async function page(route: string, params: Params, use: Use): Promise<{ data: unknown; next?: string }> {
    const { url } = octokit.request.endpoint(route, { ...addressed(route, place), ...params })
    if (use !== 'glance') return askPage(route, params, use, url)
    const known = rounds.get(url)
    if (known && clock.monotonic() - known.at < ROUND_MS) return known.answer
    const answer = askPage(route, params, use, url)
    rounds.set(url, { at: clock.monotonic(), answer })
    answer.catch(() => rounds.delete(url))
    return answer
  }

  async function askPage(route: string, params: Params, use: Use, url: string): Promise<{ data: unknown; next?: string }> {
    const kept = await cache.read(url)
    if (use !== 'need' && !isSpare()) {
      if (kept) return kept
      throw reserved(budget?.until as number)
    }
    return patiently(route, async () => {
      try {
        const headers = kept ? { headers: { 'if-none-match': kept.etag } } : {}
        const { data, headers: answered } = await send(route, { ...params, ...headers })
        const next = nextOf(String(answered.link ?? ''))
        const answer = { data, ...(next === undefined ? {} : { next }) }
        if (answered.etag) await cache.write(url, { etag: answered.etag, ...answer })
        return answer
      } catch (error) {
        if (kept && (error as { status?: unknown }).status === 304) return kept
        throw error
      }
    })
  }

  function reserved(until: number): ValuetrainError {
    const waitMs = Math.max(1000, until - clock.monotonic())
    return new ValuetrainError(
      'VT_FORGE_BUDGET',
      `only the reserve of ${options.reserve} requests is left of this hour's limit`,
      {
        kind: 'environment',
        hint: `nothing is lost; looking goes on in ${Math.ceil(waitMs / 60_000)} minutes, and what is kept back is for delivering`,
        details: { waitMs },
      },
    )
  }

  return {
    place,
    credentials,
    get: async <T>(route: string, params: Params = {}, use: Use = 'need') => (await page(route, params, use)).data as T,
    async list<T>(route: string, params: Params = {}, use: Use = 'need') {
      const found: T[] = []
      let at = await page(route, { per_page: 100, ...params }, use)
      for (;;) {
        found.push(...itemsOf<T>(at.data))
        // A page elsewhere would be asked for with our token.
        if (at.next === undefined || !at.next.startsWith(`${place.api}/`)) return found
        at = await page(`GET ${at.next}`, {}, use)
      }
    },
    put: async <T>(route: string, params: Params = {}) => patiently(route, async () => (await send(route, params)).data as T),
    once: (find, make) =>
      patiently('POST', async () => {
        const known = await find()
        if (known !== undefined) return known
        try {
          return await make(async (route, params = {}) => (await send(route, params)).data as never)
        } catch (cause) {
          // It is there after all: somebody was faster, or lists lag behind.
          const late = (cause as { status?: unknown }).status === 422 ? await find() : undefined
          if (late === undefined) throw cause
          return late
        }
      }),
    graphql: async <T>(query: string, variables: Params) =>
      patiently('POST /graphql', async () => {
        const isRead = !query.startsWith('mutation')
        if (!isRead) rounds.clear()
        await spread(isRead ? READING : WRITING)
        return (await octokit.graphql(query, variables)) as T
      }),
    limit: () => ({ remaining: budget?.remaining }),
    lastHeaders: () => seen,
  }
}

function openOctokit({ place, credentials, writeEveryMs, clock, signal }: ClientOptions): Octokit {
  const Paced = Octokit.plugin(throttling, retry)
  const octokit = new Paced({
    baseUrl: place.api,
    userAgent: 'valuetrain',
    // Waiting for limits is the patience above: on the given clock, and told.
    throttle: {
      onRateLimit: () => false,
      onSecondaryRateLimit: () => false,
      ...paces(writeEveryMs, clock, signal),
    },
    // One quick second try for reading; the rest is patience.
    retry: { retries: 1, retryAfterBaseValue: Math.min(1000, writeEveryMs) },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  })
  octokit.hook.before('request', async (request) => {
    if (request.method !== 'GET') request.request = { ...request.request, retries: 0 }
    request.headers.authorization = `token ${await credentials.token()}`
  })
  return octokit
}

/** The spaces between writes that GitHub asks for, in the shape in which the throttling plugin takes them. */
function paces(writeEveryMs: number, clock: Clock, signal: AbortSignal | undefined): object {
  const every = (ms: number) => {
    let free = 0
    let line: Promise<unknown> = Promise.resolve()
    const schedule = (_options: unknown, run: (...args: unknown[]) => Promise<unknown>, ...args: unknown[]) => {
      const turn = line.then(async () => {
        if (clock.monotonic() < free) await clock.sleep(free - clock.monotonic(), signal)
        free = clock.monotonic() + ms
      })
      line = turn.catch(() => {})
      return turn.then(() => run(...args))
    }
    return { key: () => ({ schedule }) }
  }
  return { write: every(writeEveryMs), notifications: every(writeEveryMs * 2) }
}

/** What a route has no place for would become a part of the question. */
function addressed(route: string, { owner, name }: Place): Params {
  return route.includes('{owner}') ? { owner, repo: name } : {}
}

/** Some lists come wrapped: `{ total_count, check_runs: […] }`. */
function itemsOf<T>(data: unknown): T[] {
  if (Array.isArray(data)) return data as T[]
  const inner = Object.values((data ?? {}) as object).find(Array.isArray)
  return (inner ?? []) as T[]
}

function nextOf(link: string): string | undefined {
  return /<([^>]+)>;\s*rel="next"/.exec(link)?.[1]
}
