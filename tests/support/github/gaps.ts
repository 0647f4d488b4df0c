import { mergePull, overlayPull, pullOf } from './pulls.ts'
import { enqueue, queueOf } from './queue.ts'
import type { CheckRun, Json } from './types.ts'
import { type Answer, type Call, mayAtLeast, type RepoState, type World } from './world.ts'

type Gap = (world: World, state: RepoState, call: Call, parts: string[]) => Promise<Answer | undefined>

const NOT_FOUND: Answer = { status: 404, body: { message: 'Not Found', status: '404' } }

/** What the emulator lacks or takes too lightly, by method and path below `/repos/<owner>/<name>`. */
const GAPS: readonly [string, RegExp, Gap][] = [
  ['GET', /^$/, repository],
  ['GET', /^\/collaborators\/([^/]+)\/permission$/, permission],
  ['GET', /^\/issues$/, listIssues],
  ['GET', /^\/issues\/comments$/, allComments],
  ['POST', /^\/issues$/, openIssue],
  ['GET', /^\/issues\/(\d+)$/, oneIssue],
  ['PATCH', /^\/issues\/(\d+)$/, editIssue],
  ['GET', /^\/issues\/(\d+)\/events$/, events],
  ['POST', /^\/issues\/(\d+)\/labels$/, needsTriage],
  ['DELETE', /^\/issues\/(\d+)\/labels\/(.+)$/, needsTriage],
  ['POST', /^\/issues\/(\d+)\/assignees$/, assign],
  ['GET', /^\/issues\/(\d+)\/dependencies\/blocked_by$/, blockers],
  ['POST', /^\/issues\/(\d+)\/dependencies\/blocked_by$/, addBlocker],
  ['GET', /^\/issues\/(\d+)\/parent$/, parent],
  ['POST', /^\/issues\/(\d+)\/sub_issues$/, addChild],
  ['GET', /^\/pulls$/, listPulls],
  ['POST', /^\/pulls$/, openPull],
  ['GET', /^\/pulls\/(\d+)$/, onePull],
  ['PATCH', /^\/pulls\/(\d+)$/, editPull],
  ['PUT', /^\/pulls\/(\d+)\/merge$/, mergePull],
  ['POST', /^\/pulls\/(\d+)\/reviews$/, review],
  ['POST', /^\/pulls\/(\d+)\/requested_reviewers$/, requestReviewers],
  ['POST', /^\/statuses\/([0-9a-f]{40})$/, setStatus],
  ['GET', /^\/commits\/([^/]+)\/(status|statuses)$/, statuses],
  ['POST', /^\/check-runs$/, openRun],
  ['GET', /^\/check-runs\/(\d+)$/, oneRun],
  ['PATCH', /^\/check-runs\/(\d+)$/, editRun],
  ['GET', /^\/commits\/([^/]+)\/check-runs$/, listRuns],
  ['GET', /^\/branches\/(.+)\/protection$/, protection],
  ['GET', /^\/rules\/branches\/(.+)$/, rules],
  ['GET', /^\/branches\/(.+)$/, branch],
  ['GET', /^\/git\/ref\/(.+)$/, ref],
  ['GET', /^\/git\/commits\/([0-9a-f]{40})$/, commit],
]

/** Answers what the emulator cannot; undefined hands the call on to it. */
export async function answerGap(world: World, call: Call): Promise<Answer | undefined> {
  if (call.path === '/graphql') return graphql(world, call)
  if (call.path === '/user' && call.holder.app)
    return { status: 403, body: { message: 'Resource not accessible by integration' } }
  const [, name, rest] = /^\/repos\/([^/]+\/[^/]+)(\/.*)?$/.exec(call.path) ?? []
  const state = name === undefined ? undefined : world.repositories.get(name)
  if (!state) return undefined
  if (state.movedTo) {
    const location = `${world.origin}/api/v3/repos/${state.movedTo}${rest ?? ''}`
    return {
      status: call.method === 'GET' ? 301 : 307,
      body: { message: 'Moved Permanently', url: location },
      headers: { location },
    }
  }
  const blocked = closedDoor(state, call, rest ?? '')
  if (blocked) return blocked
  for (const [method, path, gap] of GAPS) {
    const match = method === call.method ? path.exec(rest ?? '') : null
    if (match) return gap(world, state, call, match.slice(1).map(decodeURIComponent))
  }
  return undefined
}

function closedDoor(state: RepoState, call: Call, rest: string): Answer | undefined {
  if (rest === '' && call.method === 'PATCH') {
    for (const name of ['archived', 'has_issues'] as const) if (name in call.body) state.settings[name] = call.body[name]
    return undefined
  }
  if (state.settings.archived && call.method !== 'GET')
    return { status: 403, body: { message: 'Repository was archived so is read-only.', status: '403' } }
  if (!state.settings.has_issues && /^\/issues(?!\/comments)/.test(rest) && !/^\/issues\/\d+\//.test(rest))
    return { status: 410, body: { message: 'Issues are disabled for this repo', status: '410' } }
  return undefined
}

async function repository(world: World, state: RepoState, call: Call): Promise<Answer> {
  const { status, body } = await world.emulator(call.token, 'GET', `/repos/${state.repository.fullName}`)
  const may = (least: Parameters<typeof mayAtLeast>[2]) => !call.holder.app && mayAtLeast(state, call.holder, least)
  const permissions = { admin: may('admin'), maintain: may('maintain'), push: may('write'), triage: may('triage'), pull: true }
  return { status, body: status === 200 ? { ...body, permissions, clone_url: state.repository.cloneUrl } : body }
}

async function permission(world: World, state: RepoState, _call: Call, [login = '']: string[]): Promise<Answer> {
  const isUser = [...world.holders.values()].some((holder) => holder.login === login)
  if (!isUser) return NOT_FOUND
  const role = state.people.get(login) ?? 'read'
  const legacy = role === 'maintain' ? 'write' : role === 'triage' ? 'read' : role
  return { status: 200, body: { permission: legacy, role_name: role, user: { login } } }
}

/** All pages of a list of the emulator's. */
async function all(world: World, token: string, path: string): Promise<Json[]> {
  const found = []
  for (let page = 1; ; page++) {
    const { body } = await world.emulator(token, 'GET', `${path}${path.includes('?') ? '&' : '?'}per_page=100&page=${page}`)
    if (!Array.isArray(body)) return found
    found.push(...body)
    if (body.length < 100) return found
  }
}

/** Pull requests are issues, too, and stand among them. */
async function listIssues(world: World, state: RepoState, call: Call): Promise<Answer> {
  const { fullName } = state.repository
  const query = new URLSearchParams(call.query)
  const [page, size] = [Number(query.get('page') ?? 1), Number(query.get('per_page') ?? 30)]
  for (const name of ['page', 'per_page']) query.delete(name)
  const issues = await all(world, call.token, `/repos/${fullName}/issues?${query}`)
  const stateOf = query.get('state') ?? 'open'
  const pulls = (await all(world, call.token, `/repos/${fullName}/pulls?state=${stateOf}`)).map(asIssue)
  const labels = query.get('labels')?.split(',') ?? []
  const since = query.get('since')
  const asked = pulls.filter(
    (pull) =>
      labels.every((label) => pull.labels.some((has: { name: string }) => has.name === label)) &&
      (since === null || pull.updated_at >= since) &&
      (query.get('assignee') ?? 'none') === 'none',
  )
  const direction = query.get('direction') === 'asc' ? 1 : -1
  const field = query.get('sort') === 'updated' ? 'updated_at' : 'created_at'
  const list = [...issues.map((issue) => withRelations(world, state, issue)), ...asked].sort(
    (a, b) => direction * (a[field].localeCompare(b[field]) || a.number - b.number),
  )
  const last = Math.max(1, Math.ceil(list.length / size))
  const link = (to: number, rel: string) => {
    const asked = new URLSearchParams(call.query)
    asked.set('page', String(to))
    return `<${world.origin}/api/v3/repos/${fullName}/issues?${asked}>; rel="${rel}"`
  }
  return {
    status: 200,
    body: list.slice((page - 1) * size, page * size),
    headers: page < last ? { link: `${link(page + 1, 'next')}, ${link(last, 'last')}` } : {},
  }
}

function asIssue(pull: Json): Json {
  return { ...pull, pull_request: { url: pull.url, html_url: pull.html_url }, assignees: pull.assignees ?? [] }
}

function withRelations(world: World, state: RepoState, issue: Json): Json {
  const blockedBy = state.blockedBy.get(issue.number)?.length ?? 0
  const above = state.parents.get(issue.number)
  return {
    ...issue,
    issue_dependencies_summary: { blocked_by: blockedBy, total_blocked_by: blockedBy, blocking: 0, total_blocking: 0 },
    ...(above === undefined
      ? {}
      : { parent_issue_url: `${world.origin}/api/v3/repos/${state.repository.fullName}/issues/${above}` }),
  }
}

/** The emulator takes "comments" for an issue's number, so its lists of single issues are put together. */
async function allComments(world: World, state: RepoState, call: Call): Promise<Answer> {
  const path = `/repos/${state.repository.fullName}`
  const issues = await all(world, call.token, `${path}/issues?state=all`)
  const pulls = await all(world, call.token, `${path}/pulls?state=all`)
  const spoken = [...issues, ...pulls].filter(({ comments }) => comments !== 0)
  const lists = await Promise.all(spoken.map(({ number }) => all(world, call.token, `${path}/issues/${number}/comments`)))
  const since = Date.parse(call.query.get('since') ?? '1970-01-01T00:00:00Z')
  const found = lists.flat().filter((comment) => Date.parse(comment.updated_at) >= since)
  const direction = call.query.get('direction') === 'desc' ? -1 : 1
  found.sort((a, b) => direction * (Date.parse(a.updated_at) - Date.parse(b.updated_at) || a.id - b.id))
  const [page, size] = [Number(call.query.get('page') ?? 1), Number(call.query.get('per_page') ?? 30)]
  const next = new URLSearchParams(call.query)
  next.set('page', String(page + 1))
  const link = `<${world.origin}/api/v3${path}/issues/comments?${next}>; rel="next"`
  return {
    status: 200,
    body: found.slice((page - 1) * size, page * size),
    headers: page * size < found.length ? { link } : {},
  }
}

/** Labels that come with a new issue are events of their own, and only of people who may label. */
async function openIssue(world: World, state: RepoState, call: Call): Promise<Answer> {
  const { labels = [], ...rest } = call.body
  const path = `/repos/${state.repository.fullName}/issues`
  const opened = await world.emulator(call.token, 'POST', path, rest)
  if (opened.status !== 201 || labels.length === 0 || !mayAtLeast(state, call.holder, 'triage')) return opened
  await world.emulator(call.token, 'POST', `${path}/${opened.body.number}/labels`, { labels })
  return { status: 201, body: (await world.emulator(call.token, 'GET', `${path}/${opened.body.number}`)).body }
}

async function oneIssue(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const pull = await pullOf(world, state, call.token, Number(number))
  if (pull) return { status: 200, body: asIssue(pull) }
  const found = await world.emulator(call.token, 'GET', `/repos/${state.repository.fullName}/issues/${number}`)
  return found.status === 200 ? { status: 200, body: withRelations(world, state, found.body) } : NOT_FOUND
}

async function editIssue(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const edited = await world.emulator(call.token, 'PATCH', `/repos/${state.repository.fullName}/issues/${number}`, call.body)
  const isText = call.body.title !== undefined || call.body.body !== undefined
  if (edited.status === 200 && call.body.title !== undefined) state.renamed.add(Number(number))
  if (edited.status === 200 && isText) state.edits.set(Number(number), { at: world.now(), by: call.holder.login })
  return edited
}

/** A new title is an event of its own, and a new body is none; the emulator has one word for both. */
async function events(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const found = await world.emulator(
    call.token,
    'GET',
    `/repos/${state.repository.fullName}/issues/${number}/events?${call.query}`,
  )
  if (!Array.isArray(found.body)) return found
  const isRenamed = state.renamed.has(Number(number))
  const named = found.body.map((event) => (event.event === 'edited' && isRenamed ? { ...event, event: 'renamed' } : event))
  const headers: Record<string, string> = found.link === '' ? {} : { link: found.link }
  return { status: 200, body: named.filter(({ event }) => event !== 'edited'), headers }
}

async function needsTriage(_world: World, state: RepoState, call: Call): Promise<Answer | undefined> {
  if (mayAtLeast(state, call.holder, 'triage')) return undefined
  return { status: 403, body: { message: 'Must have triage rights to Repository.', status: '403' } }
}

async function assign(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer | undefined> {
  if (!mayAtLeast(state, call.holder, 'triage')) return needsTriage(world, state, call)
  // Who cannot be assigned is passed over without a word, as on the real thing.
  const assignees = (call.body.assignees as string[]).filter((login) => state.people.has(login))
  return world.emulator(call.token, 'POST', `/repos/${state.repository.fullName}/issues/${number}/assignees`, { assignees })
}

async function blockers(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const found = (state.blockedBy.get(Number(number)) ?? []).map((blocker) =>
    world.emulator(call.token, 'GET', `/repos/${state.repository.fullName}/issues/${blocker}`),
  )
  return { status: 200, body: (await Promise.all(found)).map(({ body }) => body) }
}

async function numberOfId(world: World, state: RepoState, token: string, id: number): Promise<number | undefined> {
  const issues = await all(world, token, `/repos/${state.repository.fullName}/issues?state=all`)
  return issues.find((issue) => issue.id === id)?.number
}

async function addBlocker(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const blocker = await numberOfId(world, state, call.token, call.body.issue_id)
  if (blocker === undefined) return NOT_FOUND
  const known = state.blockedBy.get(Number(number)) ?? []
  if (known.includes(blocker)) return { status: 422, body: { message: 'Validation Failed: already a dependency' } }
  state.blockedBy.set(Number(number), [...known, blocker])
  return { status: 201, body: {} }
}

async function parent(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const above = state.parents.get(Number(number))
  return above === undefined
    ? NOT_FOUND
    : world.emulator(call.token, 'GET', `/repos/${state.repository.fullName}/issues/${above}`)
}

async function addChild(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const child = await numberOfId(world, state, call.token, call.body.sub_issue_id)
  if (child === undefined) return NOT_FOUND
  state.parents.set(child, Number(number))
  return { status: 201, body: {} }
}

async function listPulls(world: World, state: RepoState, call: Call): Promise<Answer> {
  const found = await world.emulator(call.token, 'GET', `/repos/${state.repository.fullName}/pulls?${call.query}`)
  if (!Array.isArray(found.body)) return found
  const link = found.link === '' ? {} : { headers: { link: found.link } }
  return { status: 200, body: await Promise.all(found.body.map((pull) => overlayPull(state, pull))), ...link }
}

async function onePull(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const pull = await pullOf(world, state, call.token, Number(number))
  return pull ? { status: 200, body: pull } : NOT_FOUND
}

async function openPull(world: World, state: RepoState, call: Call): Promise<Answer> {
  const { owner, fullName } = state.repository
  const wrong = (errors: unknown[]) => ({ status: 422, body: { message: 'Validation Failed', errors, status: '422' } })
  if (!mayAtLeast(state, call.holder, 'write')) return { status: 403, body: { message: 'Must have push access to Repository.' } }
  const head = String(call.body.head).replace(`${owner}:`, '')
  const [at, base] = await Promise.all([state.facts.tip(head), state.facts.tip(call.body.base)])
  if (!at) return wrong([{ resource: 'PullRequest', field: 'head', code: 'invalid' }])
  if (!base) return wrong([{ resource: 'PullRequest', field: 'base', code: 'invalid' }])
  if (await state.facts.contains(base, at))
    return wrong([{ resource: 'PullRequest', code: 'custom', message: `No commits between ${call.body.base} and ${head}` }])
  const open = await all(world, call.token, `/repos/${fullName}/pulls?state=open`)
  if (open.some((pull) => pull.head.ref === head && pull.base.ref === call.body.base))
    return wrong([{ resource: 'PullRequest', code: 'custom', message: `A pull request already exists for ${owner}:${head}.` }])
  const opened = await world.emulator(call.token, 'POST', `/repos/${fullName}/pulls`, call.body)
  return opened.status === 201 ? { status: 201, body: await overlayPull(state, opened.body) } : opened
}

async function editPull(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const edited = await world.emulator(call.token, 'PATCH', `/repos/${state.repository.fullName}/pulls/${number}`, call.body)
  return edited.status === 200 ? { status: 200, body: await overlayPull(state, edited.body) } : edited
}

async function review(world: World, state: RepoState, call: Call, [number = '']: string[]): Promise<Answer> {
  const pull = await pullOf(world, state, call.token, Number(number))
  if (!pull) return NOT_FOUND
  if (pull.user.login === call.holder.login && call.body.event === 'APPROVE')
    return { status: 422, body: { message: 'Unprocessable Entity', errors: ['Can not approve your own pull request'] } }
  const body = { commit_id: pull.head.sha, ...call.body }
  return world.emulator(call.token, 'POST', `/repos/${state.repository.fullName}/pulls/${number}/reviews`, body)
}

async function requestReviewers(
  world: World,
  state: RepoState,
  call: Call,
  [number = '']: string[],
): Promise<Answer | undefined> {
  const pull = await pullOf(world, state, call.token, Number(number))
  const asked = (call.body.reviewers ?? []) as string[]
  if (asked.includes(pull?.user.login))
    return { status: 422, body: { message: 'Review cannot be requested from pull request author.' } }
  if (asked.some((login) => !state.people.has(login)))
    return { status: 422, body: { message: 'Reviews may only be requested from collaborators.' } }
  return undefined
}

async function setStatus(world: World, state: RepoState, call: Call, [sha = '']: string[]): Promise<Answer> {
  if (!mayAtLeast(state, call.holder, 'write')) return { status: 403, body: { message: 'Must have push access to Repository.' } }
  if (!(await state.facts.commit(sha)))
    return { status: 422, body: { message: `No commit found for SHA: ${sha}`, status: '422' } }
  const list = state.statuses.get(sha) ?? []
  const made = {
    id: world.nextId(),
    context: call.body.context ?? 'default',
    state: call.body.state,
    description: call.body.description ?? '',
    target_url: call.body.target_url ?? null,
    creator: { login: call.holder.login },
    created_at: world.now(),
    updated_at: world.now(),
  }
  state.statuses.set(sha, [made, ...list])
  return { status: 201, body: made }
}

async function statuses(_world: World, state: RepoState, call: Call, [ref = '', kind]: string[]): Promise<Answer> {
  const sha = await state.facts.commit(ref)
  if (!sha) return NOT_FOUND
  const list = state.statuses.get(sha) ?? []
  const size = Number(call.query.get('per_page') ?? 30)
  if (kind === 'statuses') return { status: 200, body: list.slice(0, size) }
  const newest = list.filter((status, at) => list.findIndex(({ context }) => context === status.context) === at)
  const bad = newest.some((status) => status.state === 'failure' || status.state === 'error')
  const pending = newest.length === 0 || newest.some((status) => status.state === 'pending')
  return {
    status: 200,
    body: {
      state: bad ? 'failure' : pending ? 'pending' : 'success',
      statuses: newest.slice(0, size),
      sha,
      total_count: newest.length,
    },
  }
}

async function openRun(world: World, state: RepoState, call: Call): Promise<Answer> {
  if (!call.holder.app) return { status: 403, body: { message: 'You must authenticate via a GitHub App.', status: '403' } }
  if (!(await state.facts.commit(call.body.head_sha)))
    return { status: 422, body: { message: `No commit found for SHA: ${call.body.head_sha}` } }
  const { output = {}, ...rest } = call.body
  const run: CheckRun = {
    conclusion: null,
    external_id: '',
    ...rest,
    status: rest.conclusion ? 'completed' : (rest.status ?? 'queued'),
    id: world.nextId(),
    app: call.holder.app,
    output: { title: null, summary: null, text: null, annotations: [], ...output },
  }
  state.runs.push(run)
  return { status: 201, body: shownRun(world, state, run) }
}

async function editRun(world: World, state: RepoState, call: Call, [id = '']: string[]): Promise<Answer> {
  const run = state.runs.find((candidate) => candidate.id === Number(id))
  if (!run) return NOT_FOUND
  const { output = {}, ...rest } = call.body
  const annotations = [...run.output.annotations, ...(output.annotations ?? [])]
  Object.assign(run, rest, { output: { ...run.output, ...output, annotations } })
  return { status: 200, body: shownRun(world, state, run) }
}

async function oneRun(world: World, state: RepoState, _call: Call, [id = '']: string[]): Promise<Answer> {
  const run = state.runs.find((candidate) => candidate.id === Number(id))
  return run ? { status: 200, body: shownRun(world, state, run) } : NOT_FOUND
}

async function listRuns(world: World, state: RepoState, call: Call, [ref = '']: string[]): Promise<Answer> {
  const sha = await state.facts.commit(ref)
  if (!sha) return NOT_FOUND
  const name = call.query.get('check_name')
  const runs = state.runs.filter((run) => run.head_sha === sha && (name === null || run.name === name))
  const newest = runs.filter(
    (run, at) => runs.findLastIndex((other) => other.name === run.name && other.app.id === run.app.id) === at,
  )
  return { status: 200, body: { total_count: newest.length, check_runs: newest.map((run) => shownRun(world, state, run)) } }
}

function shownRun(world: World, state: RepoState, run: CheckRun): object {
  const { annotations, ...output } = run.output
  const html = `${world.origin}/${state.repository.fullName}/runs/${run.id}`
  return { ...run, html_url: html, details_url: html, output: { ...output, annotations_count: annotations.length } }
}

async function protection(_world: World, state: RepoState, call: Call, [name = '']: string[]): Promise<Answer> {
  if (!mayAtLeast(state, call.holder, 'admin')) return NOT_FOUND
  const found = state.protections.get(name)
  if (!found) return { status: 404, body: { message: 'Branch not protected' } }
  const contexts = found.checks ?? []
  return { status: 200, body: { required_status_checks: { strict: found.strict ?? false, contexts } } }
}

async function rules(): Promise<Answer> {
  return { status: 200, body: [] }
}

async function branch(_world: World, state: RepoState, _call: Call, [name = '']: string[]): Promise<Answer> {
  const sha = await state.repository.head(name)
  if (!sha) return { status: 404, body: { message: 'Branch not found', status: '404' } }
  const found = state.protections.get(name)
  const required = { enforcement_level: found ? 'everyone' : 'off', contexts: found?.checks ?? [], checks: [] }
  return {
    status: 200,
    body: {
      name,
      commit: { sha },
      protected: found !== undefined,
      protection: { enabled: !!found, required_status_checks: required },
    },
  }
}

async function ref(_world: World, state: RepoState, _call: Call, [name = '']: string[]): Promise<Answer> {
  const found = await state.repository.git.run(['rev-parse', '--verify', '--quiet', `refs/${name}`], { okExit: [0, 1] })
  if (found.code !== 0) return NOT_FOUND
  return { status: 200, body: { ref: `refs/${name}`, object: { sha: found.stdout.trim(), type: 'commit' } } }
}

async function commit(_world: World, state: RepoState, _call: Call, [sha = '']: string[]): Promise<Answer> {
  const { git } = state.repository
  if (!(await state.facts.commit(sha))) return NOT_FOUND
  const [tree = '', parents = '', message = ''] = (await git.text(['show', '--no-patch', '--format=%T%x00%P%x00%B', sha])).split(
    '\0',
  )
  return {
    status: 200,
    body: {
      sha,
      tree: { sha: tree },
      parents: parents
        .split(' ')
        .filter(Boolean)
        .map((of) => ({ sha: of })),
      message,
    },
  }
}

/** What has no place in the REST API: draft and ready, when a text was last edited, and merge queues. */
async function graphql(world: World, call: Call): Promise<Answer> {
  const { query = '', variables = {} } = call.body ?? {}
  const fail = (message: string, type = 'UNPROCESSABLE') => ({ status: 200, body: { data: null, errors: [{ message, type }] } })
  const change = /\b(markPullRequestReadyForReview|convertPullRequestToDraft)\b/.exec(query)?.[1]
  if (change) {
    for (const state of world.repositories.values()) {
      for (const pull of await all(world, call.token, `/repos/${state.repository.fullName}/pulls?state=all`)) {
        if (pull.node_id !== variables.id) continue
        if (!mayAtLeast(state, call.holder, 'write')) return fail('Resource not accessible', 'FORBIDDEN')
        const draft = change === 'convertPullRequestToDraft'
        await world.emulator(call.token, 'PATCH', `/repos/${state.repository.fullName}/pulls/${pull.number}`, { draft })
        return { status: 200, body: { data: { [change]: { pullRequest: { id: pull.node_id, isDraft: draft } } } } }
      }
    }
    return fail(`Could not resolve to a node with the global id of '${variables.id}'`, 'NOT_FOUND')
  }
  if (/\benqueuePullRequest\b/.test(query)) {
    for (const state of world.repositories.values()) {
      const pulls = await all(world, call.token, `/repos/${state.repository.fullName}/pulls?state=all`)
      const pull = pulls.find(({ node_id }) => node_id === variables.id)
      if (pull) return enqueue(world, state, call, pull.number)
    }
    return fail(`Could not resolve to a node with the global id of '${variables.id}'`, 'NOT_FOUND')
  }
  if (/\bmergeQueue\b/.test(query)) {
    const state = world.repositories.get(`${variables.owner}/${variables.name}`)
    if (!state) return fail('Could not resolve to a Repository', 'NOT_FOUND')
    if (!state.protections.get(variables.branch)?.queue)
      return { status: 200, body: { data: { repository: { mergeQueue: null, pullRequests: { nodes: [] } } } } }
    const open = await all(world, call.token, `/repos/${state.repository.fullName}/pulls?state=open&base=${variables.branch}`)
    const pulls = await Promise.all(open.map((pull) => overlayPull(state, pull)))
    return { status: 200, body: { data: { repository: await queueOf(state, variables.branch, pulls) } } }
  }
  if (/\blastEditedAt\b/.test(query)) {
    const edit = world.repositories.get(`${variables.owner}/${variables.name}`)?.edits.get(variables.number)
    const issue = { lastEditedAt: edit?.at ?? null, editor: edit ? { login: edit.by } : null }
    return { status: 200, body: { data: { repository: { issue } } } }
  }
  return fail('the stand does not know this query')
}
