import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Clock, SimulatedClock } from '../../../core/clock.ts'
import { type Config, defaultConfig } from '../../../core/config.ts'
import type { Git } from '../../../core/git.ts'
import { openGit } from '../../../core/git.ts'
import { countingIds } from '../../../core/ids.ts'
import { openRepository, type Repository } from '../../../core/repository.ts'
import { type GithubForge, githubForge } from '../../../forge/github/index.ts'
import { makeRepository, type TestRepository } from '../repository.ts'
import type { Stand, StandRepository } from './index.ts'

export interface StandClone extends TestRepository {
  repository: Repository
  config: Config
  forge: GithubForge
  clock: Clock
  /** git that may speak with the stand, by the forge's own way. */
  remote: Git
}

/**
 * Clones a stand's repository into a folder of the test's own, with `origin` set, and opens the forge on it. The clone is on
 * `main` unless the repository is empty.
 *
 * @param as login whose token is used; `pilot` unless told
 */
export async function cloneStand(
  stand: Stand,
  of: StandRepository,
  options: {
    as?: string
    token?: string
    env?: NodeJS.ProcessEnv
    config?: Partial<Config>
    clock?: Clock
    patienceMs?: number
    onWait?: (text: string) => void
    /** Whether there is a working tree of `main`; there is one unless told, and making it takes a moment. */
    checkout?: boolean
  } = {},
): Promise<StandClone> {
  const made = await makeRepository({})
  const remote = `[remote "origin"]\n\turl = ${of.cloneUrl}\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`
  await appendFile(join(made.dir, '.git', 'config'), remote)
  const base = defaultConfig()
  const config: Config = {
    ...base,
    forge: 'github',
    remote: 'origin',
    github: { ...base.github, writeEveryMs: 0 },
    ...options.config,
  }
  const clock = options.clock ?? new SimulatedClock()
  const repository = await openRepository(made.dir, made.env)
  const token = options.token ?? stand.token(options.as ?? 'pilot')
  const forge = await githubForge({
    repository,
    config,
    clock,
    ids: countingIds(),
    env: options.env ?? { ...made.env, VALUETRAIN_GITHUB_TOKEN: token },
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
    ...(options.onWait ? { onWait: options.onWait } : {}),
  })
  onTestFinished(() => forge.close())
  const access = await forge.gitAccess()
  onTestFinished(() => access.close())
  const asked = openGit(made.dir, { ...made.env, ...access.env })
  if (options.checkout !== false && (await of.head())) {
    // From its folder: what is fetched is the same, and no token is asked for.
    await made.git.run(['fetch', '--quiet', of.git.dir, '+refs/heads/*:refs/remotes/origin/*'])
    await made.git.run(['checkout', '--quiet', '-B', 'main', 'origin/main'])
  }
  return { ...made, repository, config, forge, clock, remote: asked }
}
