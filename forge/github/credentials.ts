import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { createAppAuth } from '@octokit/auth-app'
import { Octokit } from '@octokit/rest'
import { ValuetrainError } from '../../core/errors.ts'
import { findProgram } from '../../core/programs.ts'
import { ENTERPRISE_NAMES, TOKEN_NAMES } from './names.ts'
import type { Place } from './place.ts'

/** Who speaks with the forge. The token itself is only ever handed out, never kept in anything that is printed or passed on. */
export interface Credentials {
  kind: 'token' | 'app'
  /** Where it comes from, for people: the name of a variable, or `gh auth token`. */
  source: string
  /** Returns a token that is good now; an App's is made anew before its hour is over. */
  token(): Promise<string>
  /** Login of an App's bot; undefined for a token, whose login the forge knows. */
  bot(): Promise<string | undefined>
}

/** What an App's token may do at most: what deliveries need, in one repository. */
export const APP_PERMISSIONS = {
  contents: 'write',
  issues: 'write',
  pull_requests: 'write',
  checks: 'write',
  statuses: 'read',
  metadata: 'read',
} as const

/**
 * Finds who to speak as: a GitHub App when one is named, else a token of the environment, else the one `gh` keeps.
 *
 * @throws VT_FORGE_NO_TOKEN when there is none; VT_FORGE_APP when an App is named and its key cannot be read
 */
export async function findCredentials(place: Place, env: NodeJS.ProcessEnv, cwd: string): Promise<Credentials> {
  const appId = env.VALUETRAIN_GITHUB_APP_ID
  if (appId) return appCredentials(place, appId, env)
  // A token for github.com is never sent to another host, unless it is ours by name.
  const isPublic = place.host === 'github.com' || /\.ghe\.com$/.test(place.host)
  for (const name of isPublic ? TOKEN_NAMES : ENTERPRISE_NAMES) {
    const token = env[name]?.trim()
    if (token) return tokenCredentials(name, token)
  }
  const token = await askGh(place.host, env, cwd)
  if (token) return tokenCredentials('gh auth token', token)
  throw new ValuetrainError('VT_FORGE_NO_TOKEN', `there is no token for ${place.host}`, {
    kind: 'environment',
    hint: `set ${isPublic ? 'VALUETRAIN_GITHUB_TOKEN, GH_TOKEN or GITHUB_TOKEN' : ENTERPRISE_NAMES.join(' or ')}, or run \`gh auth login --hostname ${place.host}\`; docs/github.md says what it must be allowed`,
  })
}

function tokenCredentials(source: string, token: string): Credentials {
  if (/[\s\p{Cc}]/u.test(token))
    throw new ValuetrainError('VT_FORGE_TOKEN', `the token from ${source} holds a space or line break`, {
      kind: 'environment',
      hint: 'copy the token again, alone and on one line',
    })
  return { kind: 'token', source, token: async () => token, bot: async () => undefined }
}

async function askGh(host: string, env: NodeJS.ProcessEnv, cwd: string): Promise<string | undefined> {
  const gh = await findProgram('gh', env)
  if (gh === undefined) return undefined
  // Where nobody has logged in, gh says so with its exit code; then there is no token here.
  const asked = await promisify(execFile)(gh, ['auth', 'token', '--hostname', host], { env, cwd, timeout: 10_000 }).catch(
    () => undefined,
  )
  const token = asked?.stdout.trim() ?? ''
  return /^[\w.-]{8,}$/.test(token) ? token : undefined
}

async function appCredentials(place: Place, appId: string, env: NodeJS.ProcessEnv): Promise<Credentials> {
  const privateKey = await appKey(env)
  const { request: ask } = new Octokit({ baseUrl: place.api })
  const auth = createAppAuth({ appId, privateKey, request: ask })
  const asApp = async () => `bearer ${(await auth({ type: 'app' })).token}`
  let installation = Number(env.VALUETRAIN_GITHUB_APP_INSTALLATION) || undefined
  let bot: string | undefined
  return {
    kind: 'app',
    source: 'VALUETRAIN_GITHUB_APP_ID',
    async token() {
      if (installation === undefined) {
        const found = await ask('GET /repos/{owner}/{repo}/installation', {
          owner: place.owner,
          repo: place.name,
          headers: { authorization: await asApp() },
        })
        installation = found.data.id
      }
      const { token } = await auth({
        type: 'installation',
        installationId: installation,
        repositoryNames: [place.name],
        permissions: APP_PERMISSIONS,
      })
      return token
    },
    async bot() {
      bot ??= `${(await ask('GET /app', { headers: { authorization: await asApp() } })).data?.slug}[bot]`
      return bot
    },
  }
}

async function appKey(env: NodeJS.ProcessEnv): Promise<string> {
  const file = env.VALUETRAIN_GITHUB_APP_KEY_FILE
  const text = env.VALUETRAIN_GITHUB_APP_KEY ?? (file ? await readFile(file, 'utf8').catch(() => '') : '')
  // A variable often holds the key on one line.
  const key = text.replaceAll('\\n', '\n').trim()
  if (/^-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(key)) return key
  throw new ValuetrainError('VT_FORGE_APP', 'the key of the GitHub App cannot be read', {
    kind: 'environment',
    hint: 'set VALUETRAIN_GITHUB_APP_KEY_FILE to the .pem file, or VALUETRAIN_GITHUB_APP_KEY to its text',
  })
}
