import type { Clock } from '../../core/clock.ts'
import type { Permission } from '../../core/contracts/forge.ts'
import type { ValuetrainError } from '../../core/errors.ts'
import type { Client } from './client.ts'

/** Who is who in the repository. */
export interface People {
  /** Our own login; an App's bot login. */
  login(): Promise<string>
  /** What a login may do, at most a minute old. */
  permissionOf(login: string): Promise<Permission>
}

const MEMORY_MS = 60_000
const ROLES: readonly string[] = ['none', 'read', 'triage', 'write', 'maintain', 'admin']
/** Who the token of a workflow run speaks as; it may not ask. */
const ACTIONS_BOT = 'github-actions[bot]'

/** Opens what is known of people; each answer is asked for when it is first needed. */
export function openPeople(client: Client, clock: Clock): People {
  const known = new Map<string, { permission: Permission; at: number }>()
  let own: Promise<string> | undefined
  return {
    login() {
      own ??= askLogin(client).catch((error) => {
        own = undefined
        throw error
      })
      return own
    },
    async permissionOf(login) {
      const found = known.get(login)
      if (found && clock.monotonic() - found.at < MEMORY_MS) return found.permission
      const permission = await askPermission(client, login)
      known.set(login, { permission, at: clock.monotonic() })
      return permission
    },
  }
}

async function askLogin(client: Client): Promise<string> {
  const bot = await client.credentials.bot()
  if (bot !== undefined) return bot
  try {
    return (await client.get<{ login: string }>('GET /user')).login
  } catch (error) {
    if ((error as ValuetrainError).code === 'VT_FORGE_PERMISSION') return ACTIONS_BOT
    throw error
  }
}

/** A role that an organisation made itself counts as the plain permission it builds on. */
async function askPermission(client: Client, login: string): Promise<Permission> {
  try {
    const route = 'GET /repos/{owner}/{repo}/collaborators/{username}/permission'
    const found = await client.get<{ permission: string; role_name?: string }>(route, { username: login })
    const role = [found.role_name, found.permission].find((name) => ROLES.includes(name ?? ''))
    return (role as Permission | undefined) ?? 'none'
  } catch (error) {
    // Nobody of that name, e.g. a deleted account.
    if ((error as ValuetrainError).details?.status === 404) return 'none'
    throw error
  }
}
