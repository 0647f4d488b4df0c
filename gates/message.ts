import type { Finding } from '../core/contracts/gate.ts'
import type { RangeCommit } from './view.ts'

/** @see https://www.conventionalcommits.org/en/v1.0.0/ */
const CONVENTIONAL = /^(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([^()\r\n]+\))?!?: \S/

/**
 * Returns what is wrong with one commit's message: `ticket-trailer`, `conventional`. Merge commits may say what they
 * like.
 *
 * @param commit its id is empty while the commit is being made
 * @param ticket of the branch it is on
 */
export function messageFindings(
  { id, parents, message }: RangeCommit,
  ticket: string | undefined,
  conventional: boolean,
): Finding[] {
  if (parents.length > 1) return []
  const at = id === '' ? {} : { commit: id }
  const name = id === '' ? 'the message' : `commit ${id.slice(0, 8)}`
  const findings: Finding[] = []
  const named = trailers(message, 'Valuetrain-Ticket')
  if (ticket !== undefined && !named.includes(ticket)) {
    const instead = named.length === 0 ? 'has no' : `names ${named.join(', ').slice(0, 80)} in its`
    const text = `${name} ${instead} trailer Valuetrain-Ticket: ${ticket}`
    findings.push({ rule: 'ticket-trailer', severity: 'error', message: text, ...at })
  }
  const subject = message.split('\n')[0] ?? ''
  if (conventional && !CONVENTIONAL.test(subject)) {
    findings.push({ rule: 'conventional', severity: 'error', message: `${name} does not begin with a type like "fix: "`, ...at })
  }
  return findings
}

/** The trailers of the last paragraph, as git reads them. */
function trailers(message: string, key: string): string[] {
  const last =
    message
      .trimEnd()
      .split(/\n\s*\n/)
      .at(-1) ?? ''
  return last.split('\n').flatMap((line) => {
    const found = /^([A-Za-z0-9-]+)\s*:\s*(.*)$/.exec(line)
    return found?.[1]?.toLowerCase() === key.toLowerCase() ? [(found[2] ?? '').trim()] : []
  })
}
