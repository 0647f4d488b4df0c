import { homedir, hostname, userInfo } from 'node:os'
import type { Finding } from './contracts/gate.ts'

/** What this machine is called and where it keeps things; none of it belongs into a committed file. */
export interface PrivateFacts {
  /** Absolute path of the home folder. */
  home?: string
  /** Name of the account. */
  user?: string
  /** Host name, short or full. */
  host?: string
  /** Absolute paths of this repository, its worktrees and its git directory. */
  roots?: readonly string[]
  /** Ids of processes of ours. */
  pids?: readonly number[]
}

/** Stands for a path outside the repository. */
export const OUTSIDE = '<outside>'

/** First folders of absolute paths that mean a place on a machine rather than, say, a route of a web server. */
const TOPS =
  'home|Users|root|tmp|var|usr|opt|etc|mnt|media|srv|private|Volumes|Library|Applications|workspaces?|builds|nix|run|proc|sys|snap|github|runner'
/** The same on every machine, so they tell nothing. */
const PUBLIC = /^\/(?:dev\/(?:null|zero|stdin|stdout|stderr|tty|u?random)|usr\/bin\/env|bin\/(?:sh|bash)|usr\/bin\/(?:sh|bash))$/
const PATH_END = String.raw`[^\s"'\`<>|;,()[\]{}*?$#&\\:=!⏎]`
/** Not in the middle of a word, a URL, a relative path or a package name; but behind a flag, as in `-I/opt/x`. */
const BEFORE = String.raw`(?:(?<![\w.~@%\-/\\]|<outside>)|(?<=(?:^|[\s"'])-[A-Za-z]))`
const WINDOWS =
  /(?<![A-Za-z0-9])(?:[A-Za-z]:(?:\\\\?|\/)(?:Users|Documents|Windows|Program|Temp|home|work|dev|src|repos?|projects?|[A-Za-z0-9_.-]+(?:\\\\?|\/))[^\s"'`<>|*?,;()]*|\\\\{1,3}[A-Za-z0-9._-]{2,}\\{1,2}[^\s"'`<>|*?,;()]+)/g
const FILE_URL = /file:\/\/(?:localhost)?(\/[^\s"'`<>()]*)/gi

/** Account names so common that finding them says nothing. */
const COMMON =
  /^(?:root|user|admin|administrator|node|runner|ubuntu|debian|vagrant|docker|git|test|tester|build|builder|ci|vscode|codespace|jenkins|app|dev|nobody|daemon|guest|localhost|work|main)$/i

/**
 * Returns a text whose absolute paths are relative to the first root they lie in (longest root first; `.` for the root
 * itself), or `<outside>` when they lie in none. URLs, relative paths and routes such as `/api/users` stay. Doing it
 * again changes nothing.
 *
 * @param roots absolute paths
 */
export function relativise(text: string, roots: readonly string[]): string {
  if (!/[\\/]/.test(text)) return text
  const inOrder = rootsOf(roots)
  const replace = (path: string) => placeOf(path, inOrder)
  let result = text.replace(FILE_URL, (whole, path: string) => splitTail(whole, decoded(path), replace))
  result = result.replace(WINDOWS, (path) => splitTail(path, path, replace))
  return result.replace(posixPattern(inOrder), (path) => splitTail(path, path, replace))
}

/** Returns a copy of data with `relativise` applied to all its strings; keys are kept. */
export function relativiseDeep<T>(value: T, roots: readonly string[]): T {
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return relativise(part, roots)
    if (Array.isArray(part)) return part.map(walk)
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, walk(item)]))
  }
  return walk(value) as T
}

/**
 * Returns running text without the names of host and account and without ids of processes, each replaced by a word for it.
 * Paths are `relativise`'s.
 */
export function withoutNames(text: string, known: Pick<PrivateFacts, 'host' | 'user'>): string {
  let result = text.replace(PID, (_, word: string, between: string) => `${word}${between}<pid>`)
  for (const host of new Set([known.host, known.host?.split('.')[0]])) {
    if (tells(host)) result = result.replace(wordPattern(host), '<host>')
  }
  return tells(known.user) ? result.replace(wordPattern(known.user), '<user>') : result
}

/** Returns a copy of data with `withoutNames` applied to running text: strings with white space. Single words are kept. */
export function withoutNamesDeep<T>(value: T, known: Pick<PrivateFacts, 'host' | 'user'>): T {
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return /\s/.test(part) ? withoutNames(part, known) : part
    if (Array.isArray(part)) return part.map(walk)
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, walk(item)]))
  }
  return walk(value) as T
}

/** Returns what this machine and account are called. */
export function machineFacts(): Pick<PrivateFacts, 'home' | 'host' | 'user'> {
  return { home: homedir(), host: hostname(), ...accountName() }
}

/** An account without an entry in the user database, as in many containers, has no name to tell. */
function accountName(): { user?: string } {
  try {
    return { user: userInfo().username }
  } catch {
    return {}
  }
}

const PID = /\b(pid|process id)(["'\s:=#]{1,4})\d{2,8}\b/gi

/**
 * Returns what a text tells about a machine: absolute paths, the names of host and account, ids of processes.
 * Common account names such as `root` and host `localhost` count for nothing, nor do paths that every machine has.
 *
 * @returns findings with line numbers and without the private text itself; rules `private-path`, `private-host`,
 *   `private-user` and `private-pid`
 */
export function findPrivate(text: string, known: PrivateFacts): Finding[] {
  const roots = rootsOf([...(known.roots ?? []), ...(known.home ? [known.home] : [])])
  const found: { rule: string; at: number; what: string }[] = []
  const collect = (rule: string, what: string, pattern: RegExp, unless: (text: string) => boolean = () => false) => {
    for (const match of text.matchAll(pattern)) if (!unless(match[0])) found.push({ rule, what, at: match.index })
  }
  collect('private-path', 'an absolute path', FILE_URL)
  collect('private-path', 'an absolute path', WINDOWS)
  collect('private-path', 'an absolute path', posixPattern(roots), (path) => PUBLIC.test(trimmed(path)))
  for (const host of new Set([known.host, known.host?.split('.')[0]])) {
    if (tells(host)) collect('private-host', 'the name of a host', wordPattern(host))
  }
  if (tells(known.user)) collect('private-user', 'the name of an account', wordPattern(known.user))
  const pids = new Set(known.pids?.map(String))
  for (const match of text.matchAll(/\b(pid|process(?: id)?)["'\s:=#]{1,4}(\d{2,8})\b/gi)) {
    if (match[1]?.toLowerCase() === 'pid' || pids.has(match[2] ?? ''))
      found.push({ rule: 'private-pid', what: 'the id of a process', at: match.index })
  }
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ rule, what, at }) => ({ rule, severity: 'error', message: `holds ${what}`, line: lineAt(text, at) }))
}

function tells(name: string | undefined): name is string {
  return name !== undefined && name.length >= 3 && !COMMON.test(name)
}

const wordPattern = (word: string) => new RegExp(`(?<![A-Za-z0-9_-])${escaped(word)}(?![A-Za-z0-9_-])`, 'g')
const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

function rootsOf(roots: readonly string[]): string[] {
  return [...new Set(roots.map((root) => root.replace(/[\\/]+$/, '')).filter((root) => root.length > 1))].sort(
    (a, b) => b.length - a.length,
  )
}

/** Roots are looked for wherever they stand; other paths only below a folder that machines have. */
function posixPattern(roots: readonly string[]): RegExp {
  const tops = roots.map((root) => /^\/([^/]+)/.exec(root)?.[1]).filter((top) => top !== undefined)
  const any = [...new Set([...TOPS.split('|'), ...tops.map(escaped)])].join('|')
  const known = roots.filter((root) => root.startsWith('/')).map((root) => `${escaped(root)}(?:/${PATH_END}*)?(?![\\w-])`)
  return new RegExp(`${BEFORE}(?:${[...known, `/(?:${any})/${PATH_END}+`].join('|')})|${BEFORE}/dev/${PATH_END}+`, 'g')
}

/** Full stops that end a sentence are not part of a path. */
const trimmed = (path: string) => path.replace(/[.]+$/, '')

function splitTail(whole: string, path: string, replace: (path: string) => string): string {
  const tail = /[.]+$/.exec(whole)?.[0] ?? ''
  return `${replace(trimmed(path))}${tail}`
}

function placeOf(path: string, roots: readonly string[]): string {
  if (PUBLIC.test(path)) return path
  const plain = path.replace(/\\\\?/g, '/').replace(/\/+$/, '')
  for (const root of roots) {
    const base = root.replace(/\\/g, '/')
    if (plain === base) return '.'
    if (plain.startsWith(`${base}/`)) return plain.slice(base.length).replace(/^\/+/, '')
  }
  return OUTSIDE
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function lineAt(text: string, at: number): number {
  let line = 1
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line++
  return line
}
