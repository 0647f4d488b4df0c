import { ALIASES, foldAlias, policyNames, readPromotions } from '../../../training/policy/index.ts'
import { argument, defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { table } from '../../display/text.ts'
import { policyNamed } from '../../policies.ts'
import { openTraining } from '../../training.ts'

export default defineCommand({
  description: 'Shows which run every alias of a policy stands for on the default branch, and the records that say so.',
  examples: [
    { does: 'All policies', line: 'policy show' },
    { does: 'One with its records', line: 'policy show cart-pole' },
  ],
  args: { policy: argument.optional('Name of the policy; all of them unless told.') },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const { reader } = place.shared
    const names = args.policy === undefined ? await policyNames(reader) : [await policyNamed(place, args.policy)]
    const policies = await Promise.all(
      names.map(async (policy) => {
        const records = await readPromotions(reader, policy)
        const { current: champion, previous } = foldAlias(records, policy, 'champion')
        const { current: challenger } = foldAlias(records, policy, 'challenger')
        const aliases = { champion: champion?.run ?? null, challenger: challenger?.run ?? null, previous: previous?.run ?? null }
        return { policy, aliases, records }
      }),
    )
    if (flags.json) {
      context.stdout.write(`${JSON.stringify(policies)}\n`)
      return 0
    }
    const paint = paintFor(context)
    const heads = ['policy', ...ALIASES, 'previous'].map((word) => paint.dim(word))
    const rows = policies.map(({ policy, aliases }) => [
      policy,
      aliases.champion ?? '-',
      aliases.challenger ?? '-',
      aliases.previous ?? '-',
    ])
    const lines = [policies.length === 0 ? 'nothing was promoted yet' : table([heads, ...rows])]
    if (args.policy !== undefined) {
      for (const { id, act, alias, run, by, reason } of policies.flatMap(({ records }) => records)) {
        lines.push(`${id}  ${act} of ${alias} to ${run}${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`)
      }
    }
    context.stdout.write(`${lines.join('\n')}\n`)
    return 0
  },
})
