import type { Finding } from '../core/contracts/gate.ts'
import { ticketFolder } from '../core/contracts/patterns.ts'
import { ValuetrainError } from '../core/errors.ts'
import { secretsInFile } from '../core/file-secrets.ts'
import { describeSize } from '../gates/builtin/blob.ts'
import { checkChain } from '../sessions/chain.ts'
import { parseSegmentWith, type ReadYaml, type Segment, segmentOfFile } from '../sessions/form.ts'
import { prefixFindings } from '../sessions/prefix.ts'
import type { Limits } from './settings.ts'
import type { ChangedFile } from './staged.ts'

/** What a hook can leave out for once, by name; the integrity of sessions is not among it. */
export const CHECKS = ['secrets', 'size', 'message'] as const
export type Check = (typeof CHECKS)[number]

/** A finding with the check it comes from. */
export interface Found extends Finding {
  check: Check | 'sessions'
}

/** Returns the keys and tokens that files bring and did not hold before. What was found is never shown. */
export function judgeSecrets(files: readonly ChangedFile[]): Found[] {
  return files.flatMap(({ path, content, before }) => {
    if (content === undefined) return []
    const secrets = secretsInFile(content)
    if (secrets.length === 0) return []
    const known = new Set(before === undefined ? [] : secretsInFile(before).map(({ secret }) => secret))
    return secrets
      .filter(({ secret }) => !known.has(secret))
      .map(({ rule, line }): Found => {
        const message = `${path}, line ${line}, holds what looks like a secret (${rule})`
        return { check: 'secrets', rule: 'secret', severity: 'error', message, path, line }
      })
  })
}

/** Returns files that are larger than a repository should carry, LFS pointers never being. */
export function judgeSizes(files: readonly ChangedFile[], { maxBytes, warnBytes }: Limits): Found[] {
  return files.flatMap(({ path, status, bytes }): Found[] => {
    if (status === 'D' || bytes < warnBytes) return []
    const isTooLarge = bytes > maxBytes
    const message = isTooLarge
      ? `${path} is ${describeSize(bytes)}, more than the ${describeSize(maxBytes)} a file may have outside LFS`
      : `${path} is ${describeSize(bytes)}; consider LFS`
    return [
      { check: 'size', rule: isTooLarge ? 'too-large' : 'large', severity: isTooLarge ? 'error' : 'warning', message, path },
    ]
  })
}

/** What session files say of themselves, and the ends of the segments among them. */
export interface SessionAnswer {
  findings: Found[]
  /** `segment:head` of the newest segment that is brought; what a commit anchors. */
  anchor: string | undefined
}

/**
 * Judges the session files among changes: their form, their chain, their place, that they continue what was there, and that a
 * ticket's branch writes no other ticket's record.
 *
 * @param ticket of the branch; undefined elsewhere
 * @param readYaml for front matter in another form than ours
 */
export function judgeSessions(files: readonly ChangedFile[], ticket: string | undefined, readYaml: ReadYaml): SessionAnswer {
  const findings: Found[] = []
  const segments: Segment[] = []
  for (const file of files) {
    const place = placeOf(file.path)
    if (place === undefined) continue
    const say = (rule: string, message: string) =>
      findings.push({ check: 'sessions', rule, severity: 'error', message, path: file.path })
    if (ticket !== undefined && place.ticket !== ticket) {
      say('foreign-ticket', `${file.path} belongs to ticket ${place.ticket}, and this is the branch of ${ticket}`)
    }
    if (place.segment === undefined) continue
    if (file.status === 'D') say('session-removed', `${file.path} is removed; sessions are only appended to`)
    else if (file.content === undefined) say('session-unreadable', `${file.path} is no readable file`)
    else {
      const segment = judgeSession(file, place, readYaml, findings)
      if (segment) segments.push(segment)
    }
  }
  return { findings, anchor: anchorOf(segments) }
}

/** Returns the ticket a path belongs to, and the segment when it is a session file's. */
export function placeOf(path: string): { ticket: string; segment: string | undefined } | undefined {
  const [, ticket, name] = /^\.valuetrain\/tickets\/([^/]+)\/(.+)$/.exec(path) ?? []
  return ticket === undefined || name === undefined ? undefined : { ticket, segment: segmentOfFile(name) }
}

function judgeSession(
  file: ChangedFile,
  place: { ticket: string; segment: string | undefined },
  readYaml: ReadYaml,
  findings: Found[],
): Segment | undefined {
  const add = (found: readonly Finding[]) => findings.push(...found.map((one) => ({ ...one, check: 'sessions' as const })))
  const after = parsed(file.content as Buffer, file.path, readYaml, add)
  if (after === undefined) return undefined
  add(after.findings)
  add(checkChain(after))
  if (after.header.ticket !== place.ticket || after.header.segment !== place.segment) {
    const message = `${file.path} says it is segment ${after.header.segment} of ${after.header.ticket}, not of ${ticketFolder(place.ticket)}`
    add([{ rule: 'session-misplaced', severity: 'error', message, path: file.path }])
  }
  // What was wrong with the file before is not this change's fault, but then nothing can be said of how it goes on.
  const before = file.before && file.oldMode !== '000000' ? parsed(file.before, file.path, readYaml, () => {}) : undefined
  if (before) add(prefixFindings([before], [after]))
  return after
}

function parsed(
  content: Buffer,
  path: string,
  readYaml: ReadYaml,
  add: (found: readonly Finding[]) => void,
): Segment | undefined {
  try {
    return parseSegmentWith(content.toString('utf8'), path, readYaml)
  } catch (error) {
    if (!(error instanceof ValuetrainError) || error.kind === 'internal') throw error
    add([{ rule: 'session-unreadable', severity: 'error', message: error.message, path }])
    return undefined
  }
}

function anchorOf(segments: readonly Segment[]): string | undefined {
  const continued = new Set(segments.flatMap(({ header }) => header.parents.map(({ segment }) => segment)))
  const tip = segments.filter(({ header, entries }) => entries.length > 0 && !continued.has(header.segment)).at(-1)
  return tip && `${tip.header.segment}:${tip.entries.at(-1)?.hash}`
}
