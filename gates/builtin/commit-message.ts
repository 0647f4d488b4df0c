import type { Finding } from '../../core/contracts/gate.ts'
import { ticketOfBranch } from '../../core/contracts/names.ts'
import { byFindings, notApplicable } from '../gate.ts'
import type { RangeCommit, View } from '../view.ts'
import { builtin } from './builtin.ts'

/** @see https://www.conventionalcommits.org/en/v1.0.0/ */
const CONVENTIONAL = /^(?:build|chore|ci|docs|feat|fix|perf|refactor|revert|style|test)(?:\([^()\r\n]+\))?!?: \S/

/** Merge commits are exempt: they bring no change of their own, and forges word them. */
export const commitMessage = builtin(
  {
    id: 'commit-message',
    title: 'Commit messages name the ticket',
    why: 'a commit without its ticket cannot be traced to the decision behind it',
    stages: ['advance', 'commit-msg', 'pre-push', 'pull-request'],
    subject: 'range',
  },
  {
    inputs: async (view) => ({
      ticket: ticketOf(view) ?? null,
      conventional: view.context.config.commits.conventional,
      message: view.context.message ?? null,
      commits: (await messages(view)).map(({ id, message, parents }) => [id, message, parents.length]),
    }),
    async judge(view) {
      const ticket = ticketOf(view)
      const { conventional } = view.context.config.commits
      if (ticket === undefined && !conventional)
        return notApplicable('this is no ticket branch, and no message style is configured')
      const commits = await messages(view)
      return byFindings(
        commits.flatMap((commit) => problemsOf(commit, ticket, conventional)),
        `${commits.length} commit ${commits.length === 1 ? 'message' : 'messages'} read`,
      )
    },
  },
)

function problemsOf({ id, parents, message }: RangeCommit, ticket: string | undefined, conventional: boolean): Finding[] {
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

async function messages(view: View): Promise<RangeCommit[]> {
  const { message } = view.context
  if (message !== undefined) return [{ id: '', parents: [], message }]
  return view.commits()
}

function ticketOf({ context }: View): string | undefined {
  return context.ticket ?? (context.branch === undefined ? undefined : ticketOfBranch(context.branch))
}
