import type { Config } from '../../core/config.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Git } from '../../core/git.ts'
import type { SurroundingFinding } from '../../core/surroundings.ts'
import { branchTip } from './changes.ts'
import type { GithubForge } from './forge.ts'
import { requirePushable } from './place.ts'

interface RawRepository {
  full_name: string
  default_branch: string
  archived: boolean
  has_issues: boolean
  private: boolean
  permissions?: { push?: boolean }
  allow_merge_commit?: boolean
  allow_squash_merge?: boolean
  allow_rebase_merge?: boolean
}

type Level = SurroundingFinding['level']

/**
 * Returns what is good and what is missing on the forge: token, rights, repository, branch. Reads only, and asks five
 * questions at most. Never throws on what it finds.
 *
 * @param env what tells whether this is a run of GitHub Actions
 * @param git of the clone, whose remotes are looked at
 */
export async function inspectForge(
  forge: GithubForge,
  config: Pick<Config, 'branch' | 'remote' | 'github'>,
  env: NodeJS.ProcessEnv,
  git: Git,
): Promise<SurroundingFinding[]> {
  const { client, credentials, place } = forge
  const find = (level: Level, what: string, todo: string | null = null) => ({ id: 'forge', level, what, todo })
  try {
    const found = await client.get<RawRepository>('GET /repos/{owner}/{repo}')
    const scopes = client.lastHeaders()['x-oauth-scopes']
    const login = await forge.login()
    const who = `${login} by ${credentials.source}`
    return [
      ...inspectRepository(found, find, config),
      ...inspectRights(found, scopes === undefined ? undefined : String(scopes), credentials.kind, who, find),
      await inspectBranch(forge, config.branch, found.default_branch, find),
      ...(await inspectRemote(forge, config, git, find)),
      ...(env.GITHUB_ACTIONS === 'true' && credentials.source === 'GITHUB_TOKEN'
        ? [
            find(
              'warn',
              'what a workflow’s own token pushes starts no other workflow, so checks never run on these pull requests',
              'use a GitHub App or a token of an account: docs/github.md',
            ),
          ]
        : []),
      find(
        'ok',
        `${place.host} has ${client.limit().remaining ?? 'an unknown number of'} requests left this hour, ${config.github.reserve} of them kept for writing`,
      ),
    ]
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    return [find('fail', error.message, error.hint ?? null)]
  }
}

type Find = (level: Level, what: string, todo?: string | null) => SurroundingFinding

function inspectRepository(found: RawRepository, find: Find, { github }: Pick<Config, 'github'>): SurroundingFinding[] {
  const name = found.full_name
  const allowed = { merge: found.allow_merge_commit, squash: found.allow_squash_merge, rebase: found.allow_rebase_merge }[
    github.merge
  ]
  return [
    find('ok', `${name}, ${found.private ? 'private' : 'public'}`),
    ...(found.archived
      ? [find('fail', `${name} is archived, so nothing can be written there`, 'unarchive it in its settings')]
      : []),
    ...(found.has_issues
      ? []
      : [find('fail', `issues are switched off in ${name}`, 'switch them on under Settings, General, Features')]),
    ...(allowed === false
      ? [
          find(
            'fail',
            `${name} does not let pull requests in by ${github.merge}`,
            'set `github.merge` to a way that its settings allow',
          ),
        ]
      : []),
  ]
}

/** An App's rights were asked for with its token, which would not be there without them. */
function inspectRights(
  found: RawRepository,
  scopes: string | undefined,
  kind: 'app' | 'token',
  who: string,
  find: Find,
): SurroundingFinding[] {
  if (kind === 'app') return [find('ok', `${who}, with a token for this repository alone`)]
  const lacking = []
  const granted = scopes?.split(',').map((scope) => scope.trim())
  const enough = found.private ? ['repo'] : ['repo', 'public_repo']
  if (granted && !enough.some((scope) => granted.includes(scope)))
    lacking.push(
      find('fail', `the token of ${who} lacks the scope ${enough.at(-1)}`, 'add it in the token’s settings: docs/github.md'),
    )
  if (found.permissions && found.permissions.push !== true)
    lacking.push(
      find(
        'fail',
        `${who} has no write access to ${found.full_name}`,
        'let an administrator add the account with the role Write',
      ),
    )
  if (lacking.length > 0) return lacking
  return granted?.includes('repo') && !found.private
    ? [
        find('ok', who),
        find(
          'warn',
          'the token reaches every repository of its account',
          'a fine-grained token or an App can be limited to one: docs/github.md',
        ),
      ]
    : [find('ok', who)]
}

async function inspectRemote(
  { place }: GithubForge,
  config: Pick<Config, 'remote'>,
  git: Git,
  find: Find,
): Promise<SurroundingFinding[]> {
  try {
    await requirePushable(git, config, place)
    return []
  } catch (error) {
    if ((error as ValuetrainError).code !== 'VT_FORGE_REMOTE') throw error
    return [find('fail', (error as ValuetrainError).message, (error as ValuetrainError).hint ?? null)]
  }
}

async function inspectBranch(forge: GithubForge, branch: string, byDefault: string, find: Find): Promise<SurroundingFinding> {
  if (branch !== byDefault)
    return find(
      'warn',
      `the default branch there is ${byDefault}, and \`branch\` says ${branch}`,
      `set \`branch: ${byDefault}\` unless that is meant`,
    )
  try {
    await branchTip(forge.client, branch)
    return find('ok', `default branch ${branch}`)
  } catch (error) {
    if ((error as ValuetrainError).code !== 'VT_NO_BRANCH') throw error
    return find('fail', (error as ValuetrainError).message, (error as ValuetrainError).hint ?? null)
  }
}
