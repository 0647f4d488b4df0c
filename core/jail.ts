import { constants } from 'node:fs'
import { access, lstat, mkdir, mkdtemp, readlink, realpath, rm, rmdir } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path'
import { execPath } from 'node:process'
import { openControlGroup } from './cgroup.ts'
import type { Config } from './config.ts'
import { FORWARDER, openDoor, openEgress } from './egress.ts'
import { ValuetrainError } from './errors.ts'
import { isInside } from './files.ts'
import { borrowGit } from './jail-git.ts'
import { findProgram } from './programs.ts'

/** What a jail is built around. */
export interface JailPlace {
  /** The `bwrap` program, absolute; from `probeJail`. */
  program: string
  /** Absolute; the checkout that commands work in. Writable. */
  worktree: string
  /**
   * Absolute, in the worktree: the only part of its `.valuetrain` that may be written. Null makes all of `.valuetrain`
   * read-only; undefined leaves the whole checkout writable, for one that nobody keeps.
   */
  artifacts?: string | null
  /** Repository paths, or globs ending in two stars, that stay as they are where they exist. */
  protected?: readonly string[]
  /** Hosts that may be reached, each as `host` (port 443) or `host:port`; none unless told. */
  hosts?: readonly string[]
  /** Ports of this machine's loopback that are reached under the same number, for our own gateway; none unless told. */
  ports?: readonly number[]
  /** Absolute paths outside the worktree that may be read, where they exist. */
  tools?: readonly string[]
  /** Branches and tags that its git knows besides the one that is checked out, each as `<commit> <ref>`. */
  refs?: readonly string[]
  limits?: Partial<JailLimits>
}

/** What the processes in a jail may use. */
export interface JailLimits {
  /** Bytes of memory: of all together where the system can count that, and of each. */
  memoryBytes: number
  processes: number
  /** Bytes of one file. */
  fileBytes: number
  /** Milliseconds that one process may compute. */
  cpuMs: number
}

/** Limits of a jail that is told none. */
export const JAIL_LIMITS: JailLimits = {
  memoryBytes: 8 * 1024 ** 3,
  processes: 1024,
  fileBytes: 4 * 1024 ** 3,
  cpuMs: 7_200_000,
}

/** What one command gets besides the worktree. Absolute paths, seen in the jail under the same names. */
export interface JailGrant {
  /** Where it runs; the worktree unless told. */
  cwd?: string
  writable?: readonly string[]
  readOnly?: readonly string[]
}

/** A command as it is to be started, jailed. */
export interface Jailed {
  argv: string[]
  env: Record<string, string>
}

export interface Jail {
  /** Which limits hold for everything in it together; the others hold for each process. */
  readonly shared: { memory: boolean; processes: boolean }
  /** Returns the command in its jail. The environment loses what names places outside, and gains a home of its own. */
  wrap(argv: readonly string[], env: Readonly<Record<string, string>>, grant?: JailGrant): Promise<Jailed>
  /** Takes away what was made for the jail; nothing of the worktree. */
  close(): Promise<void>
}

/** Where things of the jail's own lie inside of it. */
const INSIDE = { git: '/run/valuetrain/git', home: '/run/valuetrain/home', doors: '/run/valuetrain/doors' } as const
const PROXY_PORT = 8118

/**
 * Opens a jail for commands that execute files of a worktree: own user, process, network and mount namespaces; of the
 * machine only programs and libraries, read-only; no home, no credentials, no repository but a private git directory that
 * borrows the objects. What is committed in there is nobody's: the worktree's files are what is taken over.
 *
 * @throws VT_JAIL when the worktree's `.valuetrain` or artifacts folder is a link, so that binding it would lead elsewhere
 */
export async function openJail(place: JailPlace): Promise<Jail> {
  const worktree = await realpath(place.worktree)
  const scratch = await mkdtemp(join(tmpdir(), 'vt-jail-'))
  const doors: Door[] = []
  const made: string[] = []
  const limits = { ...JAIL_LIMITS, ...place.limits }
  const group = await openControlGroup(limits)
  const close = async () => {
    await Promise.all([...doors.map((door) => door.close()), group?.close()])
    for (const folder of made.toReversed()) await rmdir(folder).catch(() => {}) // Somebody outside has put a file there.
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 })
  }
  try {
    await mkdir(join(scratch, 'home'))
    const git = await borrowGit(worktree, scratch, INSIDE.git, place.refs)
    const kept = await keptPaths(worktree, place, made)
    await openDoors(join(scratch, 'doors'), place, doors)
    const system = await systemMounts()
    const tools = (await Promise.all((place.tools ?? []).map(readable))).flat()
    return {
      shared: group?.holds ?? { memory: false, processes: false },
      async wrap(argv, env, grant = {}) {
        const inner = await located(argv, env, grant.cwd ?? worktree)
        return {
          argv: jailArgv({
            program: place.program,
            system,
            programs: await programFolders(env.PATH ?? '', inner[0] as string),
            worktree,
            kept,
            scratch,
            git,
            doors: doors.map(({ name, port }) => [join(INSIDE.doors, name), port] as const),
            cwd: grant.cwd ?? worktree,
            writable: grant.writable ?? [],
            readOnly: [...tools, ...(grant.readOnly ?? [])],
            limits,
            prefix: group?.prefix ?? [],
            argv: inner,
          }),
          env: jailedEnvironment(env, grant.writable ?? [], doors),
        }
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A socket on this side, and the port inside that leads to it. */
interface Door {
  name: string
  port: number
  close(): Promise<void>
}

async function openDoors(folder: string, { hosts = [], ports = [] }: JailPlace, doors: Door[]): Promise<void> {
  await mkdir(folder)
  if (hosts.length > 0) {
    const { close } = await openEgress(join(folder, 'egress'), hosts)
    doors.push({ name: 'egress', port: PROXY_PORT, close })
  }
  for (const port of new Set(ports)) {
    const name = `port-${port}`
    const { close } = await openDoor(join(folder, name), port)
    doors.push({ name, port, close })
  }
}

/** Everything the argument list is made of; all paths are absolute and exist. */
export interface JailArguments {
  program: string
  /** Mounts of the system, as bwrap arguments. */
  system: readonly string[]
  /** Folders and files that hold programs, read-only. */
  programs: readonly string[]
  worktree: string
  /** What of the worktree is read-only, and what of that is writable after all. */
  kept: { readOnly: readonly string[]; writable: readonly string[] }
  /** Folder on this machine with `home`, `git`, `gitfile` and `doors` for this jail. */
  scratch: string
  /** How the private git directory is laid over the worktree's own; undefined when it has none. */
  git: { over: 'file' | 'folder'; objects: readonly string[] } | undefined
  /** Sockets as they are seen inside, each with the port of the jail's loopback that leads to it. */
  doors: readonly (readonly [string, number])[]
  cwd: string
  writable: readonly string[]
  readOnly: readonly string[]
  limits: JailLimits
  /** What is put before it all, outside. */
  prefix: readonly string[]
  argv: readonly string[]
}

/** Returns the command line of bubblewrap. Order matters: a later mount lies over an earlier one. */
export function jailArgv(parts: JailArguments): string[] {
  const { program, worktree, kept, scratch, git } = parts
  const both = (flag: string, paths: readonly string[]) => paths.flatMap((path) => [flag, path, path])
  return [
    ...parts.prefix,
    program,
    // All namespaces, the network's among them; nothing in there outlives its starter or reaches its terminal.
    ...['--unshare-user', '--unshare-ipc', '--unshare-pid', '--unshare-net', '--unshare-uts', '--unshare-cgroup-try'],
    ...['--disable-userns', '--die-with-parent', '--new-session', '--cap-drop', 'ALL', '--hostname', 'jail'],
    ...parts.system,
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/run'],
    ...both('--ro-bind', parts.programs),
    ...both('--ro-bind', parts.readOnly),
    ...both('--bind', [worktree]),
    ...both('--ro-bind', kept.readOnly),
    ...both('--bind', kept.writable),
    ...both('--bind', parts.writable),
    ...['--bind', join(scratch, 'home'), INSIDE.home],
    ...gitMounts(git, worktree, scratch),
    ...(parts.doors.length > 0 ? ['--ro-bind', join(scratch, 'doors'), INSIDE.doors] : []),
    ...['--remount-ro', '/', '--chdir', parts.cwd, '--'],
    ...limited(parts.doors.length > 0 ? forwarded(parts) : parts.argv, parts.limits),
  ]
}

function gitMounts(git: JailArguments['git'], worktree: string, scratch: string): string[] {
  if (git === undefined) return []
  const own = ['--bind', join(scratch, 'git'), INSIDE.git]
  const over =
    git.over === 'file'
      ? ['--ro-bind', join(scratch, 'gitfile'), join(worktree, '.git')]
      : ['--bind', join(scratch, 'git'), join(worktree, '.git')]
  return [...git.objects.flatMap((path) => ['--ro-bind', path, path]), ...own, ...over]
}

/**
 * Limits that every process in there has; time and output are limited from outside. Shells name the number of processes by
 * one letter or the other. Memory is what a process can write to: address space alone says nothing, and Node reserves much of it.
 */
const LIMITS =
  'unset PWD; ulimit -c 0; ulimit -n 4096; ulimit -f "$1"; ulimit -d "$2"; ulimit -t "$3"; { ulimit -u "$4" || ulimit -p "$4"; }'

function limited(argv: readonly string[], { memoryBytes, processes, fileBytes, cpuMs }: JailLimits): string[] {
  const values = [fileBytes / 512, memoryBytes / 1024, cpuMs / 1000, processes].map((value) => String(Math.ceil(value)))
  // A limit that is lower outside already cannot be raised, and need not be.
  return ['/bin/sh', '-c', `{ ${LIMITS}; } 2>/dev/null; shift 4; exec "$@"`, 'sh', ...values, ...argv]
}

function forwarded({ doors, argv }: Pick<JailArguments, 'doors' | 'argv'>): string[] {
  return [execPath, '--eval', FORWARDER, '--', JSON.stringify(doors), ...argv]
}

/** A variable that a program would follow out of the jail is no use in there, and may hold a credential. */
const OUTSIDE_NAMES = /^(?:SSH_|GPG_|DBUS_|XDG_|GIT_(?!AUTHOR_|COMMITTER_)|DOCKER_|KUBECONFIG$|.*_PROXY$|.*_proxy$)/

/** Returns what the configuration lets jailed commands read outside the worktree, `~` being the home of this account. */
export function toolFolders({ workspace }: Pick<Config, 'workspace'>, env: NodeJS.ProcessEnv): string[] {
  return workspace.tools.map((path) => (path.startsWith('~/') ? join(env.HOME ?? homedir(), path.slice(2)) : path))
}

/** Returns the limits that the configuration sets for jails. */
export function jailLimits({ limits }: Pick<Config, 'limits'>): JailLimits {
  const { memoryBytes, processes, fileBytes, cpuMs } = limits
  return { memoryBytes, processes, fileBytes, cpuMs }
}

function jailedEnvironment(
  env: Readonly<Record<string, string>>,
  writable: readonly string[],
  doors: readonly Door[],
): Record<string, string> {
  const kept = Object.entries(env).filter(([name]) => !OUTSIDE_NAMES.test(name))
  const isGranted = (path: string | undefined) => path !== undefined && writable.some((folder) => isInside(folder, path))
  const hasEgress = doors.some(({ port }) => port === PROXY_PORT)
  const proxy = `http://127.0.0.1:${PROXY_PORT}`
  return {
    ...Object.fromEntries(kept),
    HOME: isGranted(env.HOME) ? (env.HOME as string) : INSIDE.home,
    TMPDIR: isGranted(env.TMPDIR) ? (env.TMPDIR as string) : '/tmp',
    ...(hasEgress
      ? {
          HTTPS_PROXY: proxy,
          https_proxy: proxy,
          HTTP_PROXY: proxy,
          http_proxy: proxy,
          NO_PROXY: '127.0.0.1',
          no_proxy: '127.0.0.1',
          NODE_USE_ENV_PROXY: '1',
        }
      : {}),
  }
}

/** The program by its real place, so that a link on PATH need not be followed in the jail. */
async function located(argv: readonly string[], env: Readonly<Record<string, string>>, cwd: string): Promise<string[]> {
  const [program = '', ...args] = argv
  if (program.includes('/')) return [isAbsolute(program) ? program : join(cwd, program), ...args]
  const found = await findProgram(program, env)
  return [found ?? program, ...args]
}

const SYSTEM = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/usr', '/nix/store']
/** Of /etc only what programs need to run; no keys, no configuration of accounts or git. */
const ETC = [
  ...['alternatives', 'ca-certificates', 'ca-certificates.conf', 'fonts', 'group', 'hosts', 'ld.so.cache', 'ld.so.conf'],
  ...['ld.so.conf.d', 'localtime', 'mime.types', 'nsswitch.conf', 'os-release', 'passwd', 'pki/tls/certs', 'protocols'],
  ...['services', 'ssl/certs', 'ssl/openssl.cnf', 'terminfo', 'timezone'],
]

async function systemMounts(): Promise<string[]> {
  const mounts: string[] = []
  for (const path of SYSTEM) {
    const found = await lstat(path).catch(() => undefined)
    if (found?.isSymbolicLink()) mounts.push('--symlink', await readlink(path), path)
    else if (found !== undefined) mounts.push('--ro-bind', path, path)
  }
  return [...mounts, ...ETC.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`])]
}

/** Folders of PATH outside the system's, each with the `lib` beside a `bin`, and those of Node and of the program itself. */
async function programFolders(path: string, program: string): Promise<string[]> {
  const listed = path.split(delimiter).filter((folder) => isAbsolute(folder))
  const real = await realpath(program).catch(() => undefined)
  const own = real === undefined ? [] : [packageOf(real)]
  const folders = [...listed, dirname(execPath)].flatMap((folder) =>
    // What `node_modules/.bin` holds are links into the packages beside it.
    folder.endsWith('/node_modules/.bin')
      ? [dirname(folder)]
      : basename(folder) === 'bin'
        ? [folder, join(dirname(folder), 'lib')]
        : [folder],
  )
  const candidates = [...new Set([...folders, ...own])].filter((folder) => !SYSTEM.some((root) => isInside(root, folder)))
  const isThere = await Promise.all(
    candidates.map((folder) =>
      access(folder, constants.R_OK).then(
        () => true,
        () => false,
      ),
    ),
  )
  // A folder as wide as the root or a whole home is no place of programs.
  return candidates.filter((folder, index) => isThere[index] && folder.split('/').length > 2 && !/^\/home\/[^/]+$/.test(folder))
}

/** The package a program belongs to, where it lies in one; else the program's file alone. */
function packageOf(file: string): string {
  const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)
  return found?.[1] ?? file
}

async function keptPaths(worktree: string, place: JailPlace, made: string[]): Promise<JailArguments['kept']> {
  if (place.artifacts === undefined) return { readOnly: [], writable: [] }
  const readOnly: string[] = []
  const own = join(worktree, '.valuetrain')
  if ((await lstat(own).catch(() => undefined)) !== undefined) readOnly.push(await plain(own))
  for (const glob of place.protected ?? []) {
    const path = join(worktree, glob.replace(/\/\*\*$/, ''))
    if (/[*?[{]/.test(glob.replace(/\/\*\*$/, '')) || !isInside(worktree, path) || isInside(own, path)) continue
    if (glob.endsWith('/**')) made.push(...(await makeFolder(worktree, path)))
    const real = await realpath(path).catch(() => undefined)
    if (real === path) readOnly.push(path)
  }
  if (place.artifacts === null) return { readOnly, writable: [] }
  return { readOnly, writable: [await plain(join(worktree, place.artifacts.slice((await realpath(place.worktree)).length)))] }
}

/**
 * Makes a folder that is to be kept as it is and is not there yet: empty it stands for none to git, and nothing can be made in
 * it. Returns the folders made, the outermost first.
 */
async function makeFolder(worktree: string, path: string): Promise<string[]> {
  const made: string[] = []
  let at = worktree
  for (const part of path.slice(worktree.length + 1).split('/')) {
    at = join(at, part)
    const found = await lstat(at).catch(() => undefined)
    if (found !== undefined && !found.isDirectory()) return made
    if (found !== undefined) continue
    await mkdir(at)
    made.push(at)
  }
  return made
}

async function readable(path: string): Promise<string[]> {
  if (!isAbsolute(path) || path === '/') return []
  return access(path, constants.R_OK).then(
    () => [path],
    () => [],
  )
}

/** A folder that is what its name says; a link would carry the mount to wherever it leads. */
async function plain(path: string): Promise<string> {
  if ((await realpath(path).catch(() => undefined)) === path) return path
  throw new ValuetrainError('VT_JAIL', `${path} is not there or is reached through a link, so no jail can be built on it`, {
    kind: 'environment',
    hint: 'see what replaced it; `valuetrain rescue list` shows what was kept',
    details: { path },
  })
}
