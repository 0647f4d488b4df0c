import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto'
import { appendFile, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEmulator } from 'emulate'
import type { Permission } from '../../../core/contracts/forge.ts'
import { type Git, openGit } from '../../../core/git.ts'
import { testEnvironment } from '../repository.ts'
import { openContract } from './contract.ts'
import { openFront } from './front.ts'
import { openGitFacts } from './git-facts.ts'
import { PROTECTING_HOOK } from './git-http.ts'
import { openStandQueue } from './queue.ts'
import type { Fault, Holder, Journaled, Json, StandApp, StandOptions, StandRepository } from './types.ts'
import type { RepoState, World } from './world.ts'

/**
 * A GitHub to test against, on one address of this machine: the `emulate` package for issues, comments, pull requests and
 * hooks, a real git over HTTP, and in front of both a program that adds what the emulator lacks and checks each request.
 *
 * What is real and what is not: git is git; issues, labels, comments, reviews, events, hooks and App tokens are the
 * emulator's. The stand itself answers for statuses, check runs, GraphQL, merges, permissions, issue relations, ETags,
 * limits and refusals, as GitHub's documentation describes them.
 */
export interface Stand {
  /** `http://127.0.0.1:<port>`: clones at `<url>/<owner>/<name>.git`, the API at `<url>/api/v3`. */
  readonly url: string
  readonly api: string
  readonly app: StandApp | undefined
  /** Every request to the API in order of arrival; `as()` leaves no trace in it. */
  readonly journal: Journaled[]
  /** Makes a repository of `owner`'s, with a first commit of these files on `main`; an empty object makes an empty one. */
  repository(name: string, files?: Record<string, string>): Promise<StandRepository>
  /** Returns a person's token. */
  token(login: string): string
  /** Adds a token with its own scopes, permissions or repositories; returns it. */
  addToken(holder: Holder): string
  /** Makes a token useless from now on. */
  revoke(token: string): void
  /**
   * Asks the API as a person: `as('owner')('POST', '/repos/owner/demo/issues', { title: 'x' })`.
   *
   * @throws Error when the answer is not a success
   */
  as(login: string): (method: string, path: string, body?: unknown) => Promise<Json>
  /** Plans a mishap. */
  fault(fault: Fault): void
  /** Forgets planned mishaps that have not happened. */
  clearFaults(): void
  /** Takes the network away, git's too, or gives it back. */
  setDown(isDown: boolean): void
  /** Says what is left of the hourly limit, and when it is full again (seconds since 1970). */
  setBudget(remaining: number, reset?: number): void
  /** Requests counted against the limit since the journal had `from` entries. */
  counted(from?: number): number
  /** What the contract had against requests so far, as text; a test ends by expecting []. */
  violations(): string[]
  /** Lets a repository go by another name, with redirects from the old one. */
  move(repository: StandRepository, name: string): Promise<void>
  close(): Promise<void>
}

/** Logins and permissions when a test does not say: the pilot may write, and there is one of each other kind. */
export const PEOPLE: Record<string, Permission> = {
  owner: 'admin',
  pilot: 'write',
  rita: 'write',
  triager: 'triage',
  reader: 'read',
  stranger: 'none',
}

/** Another program's tokens are other ones, so that a trace of one is a trace of this one. */
const SALT = randomUUID()

/** Opens a stand; takes about 0.3 s, so share one per file (`beforeAll`, `afterAll`) and make a repository per test. */
export async function openStand(options: StandOptions = {}): Promise<Stand> {
  const people = { ...PEOPLE, ...options.people }
  const root = await realpath(await mkdtemp(join(tmpdir(), 'vt-stand-')))
  await mkdir(join(root, 'home'))
  const env = testEnvironment(join(root, 'home'))
  const front = await openFront(await openContract(), root, env)
  const tokens = Object.fromEntries(Object.keys(people).map((login) => [tokenFor(login), { login }]))
  const app = options.app ? makeApp() : undefined
  const port = await freePort()
  // Its `url` is the one it writes into answers, not the one it listens at.
  const emulatorUrl = `http://127.0.0.1:${port}`
  const emulator = await createEmulator({
    service: 'github',
    port,
    baseUrl: front.origin,
    seed: {
      tokens,
      github: {
        users: Object.keys(people).map((login) => ({ login, email: `${login}@example.com` })),
        ...(app ? { apps: [seedOf(app)] } : {}),
      },
    },
  })
  let ids = 1000
  const world: World = {
    origin: front.origin,
    repositories: new Map(),
    holders: new Map(Object.entries(tokens).map(([token, { login }]) => [token, { login, scopes: ['repo', 'workflow'] }])),
    app,
    now: () => new Date().toISOString(),
    nextId: () => ++ids,
    tokenOf: (login) => tokenFor(login),
    async emulator(token, method, path, body) {
      const response = await fetch(emulatorUrl + path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const link = (response.headers.get('link') ?? '').replaceAll(emulatorUrl, `${front.origin}/api/v3`)
      return { status: response.status, body: text === '' ? undefined : JSON.parse(text), link }
    },
  }
  front.world = world
  const stand: Stand = {
    url: front.origin,
    api: `${front.origin}/api/v3`,
    app,
    journal: front.journal,
    async repository(name, files = { 'README.md': '# Example\n' }) {
      await stand.as('owner')('POST', '/user/repos', { name, auto_init: true })
      for (const [login, permission] of Object.entries(people)) {
        if (login === 'owner' || permission === 'none') continue
        const legacy = { read: 'pull', triage: 'triage', write: 'push', maintain: 'maintain', admin: 'admin' }[permission]
        await stand.as('owner')('PUT', `/repos/owner/${name}/collaborators/${login}`, { permission: legacy })
      }
      const state = await makeRepository(world, root, env, name, files)
      for (const [login, permission] of Object.entries(people)) if (permission !== 'none') state.people.set(login, permission)
      return state.repository
    },
    token: (login) => tokenFor(login),
    addToken(holder) {
      const token = `github_pat_${createHash('sha256').update(`${holder.login}${world.nextId()}`).digest('hex').slice(0, 40)}`
      world.holders.set(token, holder)
      return token
    },
    revoke: (token) => void world.holders.delete(token),
    as: (login) => async (method, path, body) => {
      const url = new URL(path, front.origin)
      const call = { method, path: url.pathname, query: url.searchParams, body, holder: { login }, token: tokenFor(login) }
      const answer = await front.carryOut(call)
      if (answer.status < 300) return answer.body
      throw new Error(`${login} got ${answer.status} for ${method} ${path}: ${JSON.stringify(answer.body)}`)
    },
    fault: (fault) => void front.faults.push({ ...fault, left: fault.times ?? 1 }),
    clearFaults: () => void front.faults.splice(0),
    setDown: (isDown) => {
      front.isDown = isDown
    },
    setBudget: (remaining, reset) => Object.assign(front.budget, { remaining }, reset === undefined ? {} : { reset }),
    counted: (from = 0) => front.journal.slice(from).filter(({ counted }) => counted).length,
    violations: () =>
      front.journal.flatMap(({ method, path, violations }) => violations.map((violation) => `${method} ${path}: ${violation}`)),
    async move(repository, name) {
      await stand.as('owner')('PATCH', `/repos/${repository.fullName}`, { name })
      const state = world.repositories.get(repository.fullName) as RepoState
      const moved = { ...repository, name, fullName: `${repository.owner}/${name}` }
      world.repositories.set(moved.fullName, { ...state, repository: moved })
      state.movedTo = moved.fullName
    },
    async close() {
      front.server.closeAllConnections()
      await new Promise((resolve) => front.server.close(resolve))
      await emulator.close()
      await rm(root, { recursive: true, force: true })
    },
  }
  return stand
}

/** Looks like a real one, so that what hides tokens finds it. */
function tokenFor(login: string): string {
  return `ghp_${createHash('sha256').update(`${SALT}:${login}`).digest('hex').slice(0, 36)}`
}

function makeApp(): StandApp {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  return { id: 4711, slug: 'valuetrain-test', privateKey, installation: 815 }
}

function seedOf(app: StandApp): object {
  return {
    app_id: app.id,
    slug: app.slug,
    name: 'Valuetrain test',
    private_key: app.privateKey,
    permissions: {
      contents: 'write',
      issues: 'write',
      pull_requests: 'write',
      checks: 'write',
      statuses: 'write',
      metadata: 'read',
      administration: 'write',
    },
    events: ['*'],
    installations: [{ installation_id: app.installation, account: 'owner', repository_selection: 'all' }],
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function makeRepository(
  world: World,
  root: string,
  env: NodeJS.ProcessEnv,
  name: string,
  files: Record<string, string>,
): Promise<RepoState> {
  const dir = join(root, 'owner', `${name}.git`)
  await mkdir(dir, { recursive: true })
  const git = openGit(dir, env)
  await git.run(['init', '--quiet', '--bare', '--initial-branch=main'])
  // What a host grants: pushes over HTTP, and several refs at once.
  await appendFile(
    join(dir, 'config'),
    '[http]\n\treceivepack = true\n[receive]\n\tadvertiseAtomic = true\n\tautogc = false\n[gc]\n\tauto = 0\n',
  )
  await writeFile(join(dir, 'hooks', 'pre-receive'), PROTECTING_HOOK, { mode: 0o755 })
  const state: RepoState = {
    repository: {} as StandRepository,
    facts: openGitFacts(git),
    settings: { archived: false, has_issues: true },
    people: new Map(),
    protections: new Map(),
    statuses: new Map(),
    runs: [],
    blockedBy: new Map(),
    parents: new Map(),
    edits: new Map(),
    renamed: new Set(),
    merged: new Map(),
    queue: { entries: [], events: new Map() },
  }
  state.repository = {
    owner: 'owner',
    name,
    fullName: `owner/${name}`,
    cloneUrl: `${world.origin}/owner/${name}.git`,
    git,
    head: (branch = 'main') => state.facts.tip(branch),
    push: (contents, { branch = 'main', message = 'Change files' } = {}) => commitOn(state, git, branch, contents, message),
    protect: (branch, protection = {}) => void state.protections.set(branch, protection),
    setStatus(commit, context, status, description = '') {
      const made = {
        id: world.nextId(),
        context,
        state: status,
        description,
        target_url: null,
        creator: { login: 'ci' },
        created_at: world.now(),
        updated_at: world.now(),
      }
      state.statuses.set(commit, [made, ...(state.statuses.get(commit) ?? [])])
    },
    statuses(commit) {
      const list = state.statuses.get(commit) ?? []
      return list
        .filter((status, at) => list.findIndex(({ context }) => context === status.context) === at)
        .map(({ context, state, description, creator }) => ({ context, state, description, login: creator.login }))
    },
    checkRuns: (commit) => state.runs.filter(({ head_sha }) => head_sha === commit),
    queue: openStandQueue(world, state, world.tokenOf('owner')),
  }
  world.repositories.set(state.repository.fullName, state)
  if (Object.keys(files).length > 0) await commitOn(state, git, 'main', files, 'Begin')
  return state
}

/** Commits files on a branch of a bare repository, in one go. */
async function commitOn(
  state: RepoState,
  git: Git,
  branch: string,
  files: Record<string, string>,
  message: string,
): Promise<string> {
  const from = (await state.facts.tip(branch)) ?? (branch === 'main' ? undefined : await state.facts.tip('main'))
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`
  const seconds = 1_767_225_600 + ++pushes
  const lines = [
    `commit refs/heads/${branch}\n`,
    `committer Ada Tester <ada@example.com> ${seconds} +0000\n`,
    data(`${message}\n`),
    ...(from === undefined ? [] : [`from ${from}\n`]),
    ...Object.entries(files).map(([path, content]) => `M 100644 inline ${path}\n${data(content)}`),
  ]
  await git.run(['fast-import', '--quiet'], { input: lines.join('') })
  return (await state.facts.tip(branch)) as string
}

let pushes = 0
