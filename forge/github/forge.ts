import { join } from 'node:path'
import type { Clock } from '../../core/clock.ts'
import type { Config } from '../../core/config.ts'
import type { HostedForge, MergeOrder } from '../../core/contracts/forge.ts'
import { branchOf } from '../../core/contracts/names.ts'
import type { Ids } from '../../core/ids.ts'
import type { Repository } from '../../core/repository.ts'
import { type GitAccess, openGitAccess } from './access.ts'
import { openCache } from './cache.ts'
import { findPull, mergePull, observePull, openPull, updatePull } from './changes.ts'
import { type Client, openClient } from './client.ts'
import { type Credentials, findCredentials } from './credentials.ts'
import { type Intake, openIntake } from './intake.ts'
import { type Intents, openIntents } from './intents.ts'
import { issueOf, newIssue, rawIssue } from './issues.ts'
import { labelsOf, makeLabels, missingLabels } from './labels.ts'
import { openPeople, type People } from './people.ts'
import { findPlace, type Place } from './place.ts'
import { openQueues } from './queue.ts'
import { reportAll } from './reports.ts'
import { commentOnce, commentsSince, showStanding } from './talk.ts'

export interface GithubForgeOptions {
  repository: Repository
  config: Pick<Config, 'branch' | 'remote' | 'labels' | 'github'>
  clock: Clock
  ids: Ids
  /** Where tokens are looked for. The repository's own environment, which children get, should be without them. */
  env: NodeJS.ProcessEnv
  /** Ends waiting for the network or a limit. */
  signal?: AbortSignal
  /** Milliseconds to wait for an outage or limit to end; 15 minutes unless told. */
  patienceMs?: number
  /** Hears of every wait, in a few words. */
  onWait?: (text: string) => void
  /** Hears of each folder that is made for git to ask in, so that a program that ends in a hurry can remove it. */
  onFolder?: (folder: string) => void
}

/** The forge on GitHub, with what its set-up and its receiver need besides the contract. */
export interface GithubForge extends HostedForge {
  readonly place: Place
  readonly credentials: Credentials
  readonly client: Client
  readonly people: People
  readonly intents: Intents
  gitAccess(): Promise<GitAccess>
  /** Ends what was opened for git. */
  close(): Promise<void>
}

/**
 * Returns the forge on GitHub for a clone. Asks nothing yet: a wrong token or address is told by the first call.
 *
 * @throws VT_FORGE_REMOTE, VT_FORGE_INSECURE, VT_FORGE_NO_TOKEN, VT_FORGE_APP
 */
export async function githubForge(options: GithubForgeOptions): Promise<GithubForge> {
  const { repository, config, clock, ids, env } = options
  const place = await findPlace(repository.git, config)
  const credentials = await findCredentials(place, env, repository.root ?? repository.commonDir)
  const client = openClient({
    place,
    credentials,
    cache: await openCache(join(repository.stateDir, 'github', 'answers')),
    clock,
    reserve: config.github.reserve,
    writeEveryMs: config.github.writeEveryMs,
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    ...(options.onWait ? { onWait: options.onWait } : {}),
  })
  const people = openPeople(client, clock)
  const queues = openQueues(client, clock)
  const openAccess = async () => {
    const opened = await openGitAccess(place, credentials, repository.env)
    options.onFolder?.(opened.folder)
    return opened
  }
  const access = once(openAccess)
  const intents = openIntents(repository.git, config.remote, async () => (await access.get()).env)
  const intake: Intake = openIntake({ client, people, intents, labels: config.labels, stateDir: repository.stateDir })
  const anyOpen = async () => true
  return {
    id: 'github',
    place,
    credentials,
    client,
    people,
    intents,
    close: async () => (await access.peek())?.close(),

    listIssues: () => intake.list(),
    readIssue: (number) => intake.read(number),
    dropIntent: (number) => intake.drop(number),
    async openIssue(draft) {
      const raw = await newIssue(client, await people.login(), draft, draft.key ?? ids.ulid())
      return issueOf(client, raw, anyOpen)
    },
    async closeIssue(number) {
      const before = await rawIssue(client, number)
      const route = 'PATCH /repos/{owner}/{repo}/issues/{issue_number}'
      if (before.state === 'open') await client.put(route, { issue_number: number, state: 'closed', state_reason: 'completed' })
      return issueOf(client, await rawIssue(client, number), anyOpen)
    },

    openChange: (draft) => openPull(client, draft),
    findChange: (branch) => findPull(client, branch),
    updateChange: (change, patch) => updatePull(client, change, patch),
    observeChange: (change) => observePull(client, people, queues, change),
    merge: (order: MergeOrder) => mergePull(client, order, branchOf(order.ticket), config.github.merge, queues),

    reportGate: (commit, gate, standing, description) => reportAll(client, commit, [{ gate, standing, description }], undefined),
    reportGates: (commit, reports, summary) => reportAll(client, commit, reports, summary),

    login: () => people.login(),
    permissionOf: (login) => people.permissionOf(login),
    listComments: (since) => commentsSince(client, people, since),
    comment: (number, key, body) => commentOnce(client, people, number, key, body),
    show: (number, standing) => showStanding(client, people, number, standing),
    missingLabels: () => missingLabels(client, labelsOf(config)),
    makeLabels: (labels) => makeLabels(client, labels),
    gitAccess: openAccess,
  }
}

/** Opens something when it is first needed. */
function once(open: () => Promise<GitAccess>): { get(): Promise<GitAccess>; peek(): Promise<GitAccess> | undefined } {
  let opened: Promise<GitAccess> | undefined
  return {
    get() {
      opened ??= open()
      return opened
    },
    peek: () => opened,
  }
}
