import { branchOf, ticketOfBranch } from '../../core/contracts/names.ts'
import { isAncestor, resolveCommit } from '../../core/tree.ts'
import { failed, notApplicable, passed } from '../gate.ts'
import type { View } from '../view.ts'
import { ticketOfPath } from '../view.ts'
import { builtin } from './builtin.ts'

/** Reads refs, which no digest stands for, so its result is never reused. */
export const branchName = builtin(
  {
    id: 'branch-name',
    title: 'The branch is the ticket’s',
    why: 'one branch carries one ticket, and writes the folder of no other',
    subject: 'range',
    cache: false,
  },
  {
    async judge(view) {
      const { branch, ticket = branch === undefined ? undefined : ticketOfBranch(branch) } = view.context
      if (ticket === undefined) {
        if (!branch?.startsWith('phase/')) return notApplicable('this is no ticket branch')
        return failed(`branch "${branch.slice(0, 80)}" is named like a ticket branch and names no ticket`)
      }
      const expected = branchOf(ticket)
      if (branch !== undefined && branch !== expected)
        return failed(`ticket ${ticket} is on branch "${branch.slice(0, 80)}", not on ${expected}`)
      if (branch === undefined && !(await carries(view, expected))) return failed(`no branch ${expected} leads to what is judged`)
      const strangers = [...new Set((await view.changes()).flatMap(({ path }) => ticketOfPath(path) ?? []))].filter(
        (name) => name !== ticket,
      )
      if (strangers.length === 0) return passed(`${expected} writes only its own ticket folder`)
      return failed(`${expected} also writes the folder of ${strangers.slice(0, 5).join(', ')}`)
    },
  },
)

/** The branch's tip is what is judged, or went into it (a merge result), or has since moved on. */
async function carries({ git, context, headCommit }: View, branch: string): Promise<boolean> {
  const tip = await resolveCommit(git, `refs/heads/${branch}`)
  const head = (await headCommit()) ?? (await resolveCommit(git, context.base))
  if (tip === undefined || head === undefined) return false
  return (await isAncestor(git, tip, head)) || isAncestor(git, head, tip)
}
