import { branchOf } from '../../core/contracts/names.ts'
import { isAncestor, resolveCommit } from '../../core/tree.ts'
import { type Answer, failed, inconclusive, passed } from '../gate.ts'
import { eventsOf, type View } from '../view.ts'
import { builtin } from './builtin.ts'

/** What items of the evidence kind `link` compile to; `options.to` says which thing has to be there. */
export const link = builtin(
  {
    id: 'link',
    title: 'The thing an item links to is there',
    why: 'an item that points to an issue, a commit or a change is done when that exists',
    subject: 'session',
  },
  {
    inputs: async (_view, options) => ({ to: String(options.to ?? '') }),
    async judge(view, { to }) {
      switch (to) {
        case 'issue':
          return toIssue(view)
        case 'commit':
          return toCommit(view)
        case 'change':
          return toChange(view)
        case 'children':
          return toChildren(view)
        default:
          return inconclusive(`a link to "${String(to).slice(0, 40)}" cannot be looked up`)
      }
    },
  },
)

function toIssue({ context }: View): Answer {
  const opened = eventsOf(context.entries, 'TICKET_OPENED').at(-1)
  return opened ? passed(`issue ${opened.data.issue.number}`) : failed('the session names no issue')
}

async function toCommit(view: View): Promise<Answer> {
  const head = await view.headCommit()
  for (const { data } of eventsOf(view.context.entries, 'WORK_COMMITTED').reverse()) {
    const commit = await resolveCommit(view.git, data.commit)
    if (commit && head && (await isAncestor(view.git, commit, head))) return passed(`commit ${commit.slice(0, 8)}`)
  }
  return failed('no commit of the session is in what is judged')
}

/** A branch stands for a change where the forge has no pull requests, and is what a pull request is made of elsewhere. */
async function toChange(view: View): Promise<Answer> {
  const { ticket } = view.context
  if (ticket === undefined) return failed('there is no ticket, so no change of it')
  const tip = await resolveCommit(view.git, `refs/heads/${branchOf(ticket)}`)
  return tip ? passed(`branch ${branchOf(ticket)}`) : failed(`there is no branch ${branchOf(ticket)}`)
}

function toChildren({ context: { entries } }: View): Answer {
  const opened = eventsOf(entries, 'CHILD_OPENED').map(({ data }) => data.issue)
  const intended = eventsOf(entries, 'CHILD_INTENDED').length
  const done = new Set(eventsOf(entries, 'CHILD_DONE').map(({ data }) => data.issue))
  if (opened.length === 0) return failed('no child ticket was opened')
  const open = opened.filter((issue) => !done.has(issue))
  if (open.length > 0) return failed(`child ${open.length === 1 ? 'issue' : 'issues'} ${open.join(', ')} not done yet`)
  if (intended > opened.length) return failed(`${intended - opened.length} intended children were not opened`)
  return passed(`${opened.length} child ${opened.length === 1 ? 'issue is' : 'issues are'} done`)
}
