/** Variables that may hold a token for GitHub, in the order they are looked at. */
export const TOKEN_NAMES = ['VALUETRAIN_GITHUB_TOKEN', 'GH_TOKEN', 'GITHUB_TOKEN'] as const
/** The same for an Enterprise server, which is never sent a token of github.com. */
export const ENTERPRISE_NAMES = ['VALUETRAIN_GITHUB_TOKEN', 'GH_ENTERPRISE_TOKEN', 'GITHUB_ENTERPRISE_TOKEN'] as const
/** Secret that deliveries of webhooks are signed with. */
export const WEBHOOK_SECRET_NAME = 'VALUETRAIN_WEBHOOK_SECRET'
const APP_NAMES = [
  'VALUETRAIN_GITHUB_APP_ID',
  'VALUETRAIN_GITHUB_APP_KEY',
  'VALUETRAIN_GITHUB_APP_KEY_FILE',
  'VALUETRAIN_GITHUB_APP_INSTALLATION',
] as const

/** Returns an environment without anything a token, key or secret of the forge is read from, for programs that are started. */
export function withoutCredentials(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = new Set<string>([...TOKEN_NAMES, ...ENTERPRISE_NAMES, ...APP_NAMES, WEBHOOK_SECRET_NAME])
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)))
}
