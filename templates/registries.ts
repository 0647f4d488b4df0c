import type { Look } from './clues.ts'

/**
 * Asks the program of a package manager something about its own settings.
 *
 * @returns what it printed, or nothing where it is not installed, failed or took too long
 */
export type AskTool = (argv: readonly string[]) => Promise<string | undefined>

/** Where a package manager's registries are known from. */
export interface RegistrySources {
  /** Files of the repository that name them: the lock file and the manager's settings. */
  files: readonly (string | undefined)[]
  /** The manager's own question, asked where no file names any. */
  ask?: readonly string[]
}

/**
 * Returns the hosts that set-up fetches from, as `host` or `host:port`, sorted. They are known from the repository's lock
 * file and settings or from the package manager itself, never guessed: set-up runs in a jail that reaches these and
 * nothing else, and which registry a team uses is the team's knowledge.
 */
export async function registryHosts(look: Look, { files, ask }: RegistrySources): Promise<string[]> {
  const texts = await Promise.all(files.map((file) => (file === undefined ? undefined : look.read(file))))
  const named = texts.flatMap((text) => [...(text ?? '').matchAll(NAMED)].map(([, url = '']) => url))
  const urls = named.length > 0 || ask === undefined ? named : ((await look.ask?.(ask)) ?? '').split(/[\s,|]+/)
  return [...new Set(urls.map(hostOf).filter((host) => host !== undefined))].sort()
}

/** What to tell where set-up will need the network and no host is known. */
export function unknownRegistry(argv: readonly string[]): string {
  return `where \`${argv.join(' ')}\` fetches from is not known; name the hosts in workspace.hosts, or it has no network in its jail`
}

/**
 * An address under one of the keys by which lock files and settings name what they fetch: `resolved` (npm, yarn),
 * `tarball` (pnpm), `registry` (npm, uv, Cargo), `url` at the beginning of a line or table (uv, poetry),
 * `npmRegistryServer` (yarn). A `url` deep in a line of JSON, as of a sponsor, is none.
 */
const NAMED =
  /(?:^|[\s{,"'@:])(?:resolved|tarball|registry|npmRegistryServer|(?<=^\s*|\{ )url)"?\s*[:=\s]\s*["']?(?:registry\+|sparse\+|git\+)?(https:\/\/[^\s"'#,}]+)/gm

/** Returns the host of an https address; what is fetched in any other way does not pass the jail's door. */
function hostOf(url: string): string | undefined {
  if (!URL.canParse(url)) return url.includes('.') && /^[a-z0-9.-]+$/i.test(url) ? url.toLowerCase() : undefined
  const { protocol, host } = new URL(url)
  return protocol === 'https:' ? host : undefined
}
