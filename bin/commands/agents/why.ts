import { ValuetrainError } from '../../../core/errors.ts'
import { explainDecision, foldDecisions, type LateOutcome } from '../../../training/router/index.ts'
import { argument, defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { ticketsNamed } from '../../wiring.ts'

export default defineCommand({
  description:
    'Explains who was chosen to work an issue: the chance each candidate had, by which policy, on which features, and what came of it. Everything is folded from the sessions and the history; nothing is looked up anywhere else.',
  examples: [{ does: 'Why this agent', line: 'agents why 42' }],
  args: { issue: argument.issue('Number of the issue, or name of its ticket.') },
  json: true,
  async run(context, { args, flags }) {
    const { repository, tickets } = await ticketsNamed(context, String(args.issue))
    const reverted = await revertedCommits(repository.git)
    const explained = tickets.flatMap(({ ticket, session, state, done }) => {
      const own = foldDecisions(session.entries)
      const last = own.at(-1)
      const at = state.ledger.deliveredAt ?? ''
      // Whoever was chosen last is who the merge is by; those before are judged by their gates alone.
      const late: LateOutcome[] = last === undefined || !done ? [] : [{ decision: last.id, kind: 'merged', value: 1, at }]
      const undone = state.ledger.work.map(({ commit }) => reverted.get(commit)).find((when) => when !== undefined)
      if (last !== undefined && undone !== undefined) late.push({ decision: last.id, kind: 'reverted', value: 1, at: undone })
      return foldDecisions(session.entries, late).map((decision) => ({ ticket, ...decision }))
    })
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(explained)}\n`)
      return 0
    }
    if (explained.length === 0) {
      const runtimes = [...new Set(tickets.map(({ state }) => state.ledger.opened?.runtime ?? 'none'))]
      context.stdout.write(
        `no router chose for issue ${args.issue}: its label, the configuration or the command line named ${runtimes.join(', ')}\n`,
      )
      return 0
    }
    const paint = paintFor(context)
    for (const decision of explained) {
      const [first = '', ...rest] = explainDecision(decision)
      context.stdout.write(`${paint.bold(decision.ticket)}  ${first}\n${rest.map((line) => `  ${line}\n`).join('')}`)
    }
    return 0
  },
})

/** Returns when each commit was reverted, by the message that git writes. */
async function revertedCommits(git: Awaited<ReturnType<typeof ticketsNamed>>['repository']['git']): Promise<Map<string, string>> {
  const log = await git.run(['log', '--format=%aI%x00%B%x1e', '--grep=^This reverts commit ', 'HEAD', '--'], { okExit: [0, 128] })
  if (log.code !== 0) throw new ValuetrainError('VT_UNBORN', 'this repository has no commit yet', { kind: 'environment' })
  return new Map(
    log.stdout.split('\u001e').flatMap((entry) => {
      const [at = '', body = ''] = entry.trim().split('\0')
      return [...body.matchAll(/This reverts commit ([0-9a-f]{40,64})/g)].map((match) => [match[1] as string, at] as const)
    }),
  )
}
