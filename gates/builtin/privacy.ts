import type { Finding } from '../../core/contracts/gate.ts'
import { findPrivate, machineFacts, type PrivateFacts } from '../../core/privacy.ts'
import { worktreeRoot } from '../../core/repository.ts'
import { byFindings } from '../gate.ts'
import { isFile, ticketOfPath, type View } from '../view.ts'
import { builtin } from './builtin.ts'

/**
 * Looks at the files of tickets that the range brings. What it looks for depends on the machine, so its result is never
 * reused. In artifacts, which are people's and agents' prose, a path of no machine of ours is only a warning.
 */
export const privacy = builtin(
  {
    id: 'privacy',
    title: 'Ticket files tell nothing of a machine',
    why: 'what is committed is read by everybody who has a clone',
    subject: 'range',
    cache: false,
  },
  {
    async judge(view) {
      const facts = factsOf(view)
      const changed = (await view.changes()).filter((change) => isFile(change) && ticketOfPath(change.path) !== undefined)
      const contents = await view.blobs(changed.map(({ blob }) => blob))
      const findings = changed.flatMap(({ path }, index) => look(path, contents[index]?.toString('utf8') ?? '', facts))
      return byFindings(findings, `${changed.length} ticket ${changed.length === 1 ? 'file' : 'files'} read`)
    },
  },
)

function look(path: string, text: string, facts: PrivateFacts): Finding[] {
  const ours = [...(facts.roots ?? []), ...(facts.home ? [facts.home] : [])].filter((root) => root.length > 1)
  const lines = text.split('\n')
  return findPrivate(text, facts).map((finding): Finding => {
    const line = lines[(finding.line ?? 1) - 1] ?? ''
    const isProse = path.includes('/artifacts/') && finding.rule === 'private-path' && !ours.some((root) => line.includes(root))
    return {
      ...finding,
      severity: isProse ? 'warning' : 'error',
      message: `${path}, line ${finding.line}, ${finding.message}`,
      path,
    }
  })
}

function factsOf({ context: { repository, config } }: View): PrivateFacts {
  return {
    ...machineFacts(),
    roots: [worktreeRoot(repository, config), repository.commonDir, ...(repository.root ? [repository.root] : [])],
  }
}
