import { promote, readPromotions, refusalOf } from '../../../training/policy/index.ts'
import { findRun, readRun } from '../../../training/run/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { aliasFlag, commitPromotion, requireCommitted } from '../../policies.ts'
import { openTraining } from '../../training.ts'
import { operatorName } from '../../wiring.ts'

export default defineCommand({
  description:
    'Puts a run’s policy into use: writes one new record and commits it. A run that did not pass, was trained from a tree with uncommitted changes, or is not committed is refused, and so is an archived one that is to be champion without having been challenger again. The alias is what the default branch says.',
  examples: [
    { does: 'Make a run the champion', line: 'policy promote 109e' },
    { does: 'Let it answer a share of the requests first', line: 'policy promote 109e --as challenger' },
    { does: 'Settle two records that contradict each other', line: 'policy promote 109e --as champion --settle' },
  ],
  args: { run: argument.text('A run, or its first digits.') },
  flags: {
    as: aliasFlag,
    reason: flag.text('TEXT', 'Why, for the record.'),
    settle: flag.switch('Replace every record of the alias, also when there are two.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const stored = await readRun(place.runs, await findRun(place.runs, args.run))
    const { policy, version } = stored.manifest
    const refusal = refusalOf(stored)
    if (refusal !== undefined) throw refusal
    await requireCommitted(place, stored.folder, stored.id)
    const records = await readPromotions(place.shared.reader, policy)
    const alias = flags.as ?? 'champion'
    const record = promote(
      records,
      {
        id: context.ids.ulid(),
        policy,
        alias,
        run: stored.id,
        version,
        verdict: stored.verdict.verdict,
        by: await operatorName(place.repository),
        reason: flags.reason,
      },
      { settle: flags.settle },
    )
    const { file, commit, counts } = await commitPromotion(place, record)
    context.stdout.write(
      flags.json
        ? `${JSON.stringify({ record, file, commit, counts })}\n`
        : [
            `${policy} ${alias} is run ${stored.id}${counts ? '' : `, once ${file} is on ${place.branch}`}`,
            `committed ${file} as ${commit.slice(0, 12)}`,
            `next: valuetrain serve ${policy}, or valuetrain policy show ${policy}`,
            '',
          ].join('\n'),
    )
    return 0
  },
})
