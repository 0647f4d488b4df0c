import { ticketOfBranch } from '../../core/contracts/names.ts'
import { byFindings, notApplicable } from '../gate.ts'
import { messageFindings } from '../message.ts'
import type { RangeCommit, View } from '../view.ts'
import { builtin } from './builtin.ts'

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
        commits.flatMap((commit) => messageFindings(commit, ticket, conventional)),
        `${commits.length} commit ${commits.length === 1 ? 'message' : 'messages'} read`,
      )
    },
  },
)

async function messages(view: View): Promise<RangeCommit[]> {
  const { message } = view.context
  if (message !== undefined) return [{ id: '', parents: [], message }]
  return view.commits()
}

function ticketOf({ context }: View): string | undefined {
  return context.ticket ?? (context.branch === undefined ? undefined : ticketOfBranch(context.branch))
}
