import { readPromotions, rollback } from '../../../training/policy/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { aliasFlag, commitPromotion, policyNamed } from '../../policies.ts'
import { openTraining } from '../../training.ts'
import { operatorName } from '../../wiring.ts'

export default defineCommand({
  description:
    'Puts the policy before back into use, by one new record that is committed; nothing is deleted. A server that serves the policy changes over without failing a request.',
  examples: [{ does: 'Undo the last promotion', line: 'policy rollback cart-pole --reason "too slow on Mondays"' }],
  args: { policy: argument.text('Name of the policy.') },
  flags: { as: aliasFlag, reason: flag.text('TEXT', 'Why, for the record.') },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const policy = await policyNamed(place, args.policy)
    const records = await readPromotions(place.shared.reader, policy)
    const alias = flags.as ?? 'champion'
    const by = await operatorName(place.repository)
    const record = rollback(records, policy, { id: context.ids.ulid(), alias, by, reason: flags.reason })
    const { file, commit, counts } = await commitPromotion(place, record)
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ record, file, commit, counts })}\n`
        : `${policy} ${alias} is run ${record.run} again${counts ? '' : `, once ${file} is on ${place.branch}`}\ncommitted ${file} as ${commit.slice(0, 12)}\n`,
    )
    return 0
  },
})
