import { ALIASES, foldAlias, policyNames, readPromotions, stagesOf } from '../../../training/policy/index.ts'
import { readSplit, type ServedRun, type SplitReport, serveLog } from '../../../training/serve/index.ts'
import { argument, defineCommand } from '../../command.ts'
import { paintFor } from '../../display/paint.ts'
import { counted, table } from '../../display/text.ts'
import { policyNamed } from '../../policies.ts'
import { openTraining } from '../../training.ts'

export default defineCommand({
  description:
    'Shows which run every alias of a policy stands for on the default branch, the stage of every run that has records (the challenger is in staging, the champion in production, what was either is archived), the records that say so, and what came of it where it was served in this clone: champion and challenger by key, and whether their difference can be told.',
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
        const runs = { champion: champion?.run ?? '', challenger: challenger?.run }
        const served = args.policy === undefined ? undefined : await readSplit(serveLog(place.stateDir, policy), runs)
        return { policy, aliases, stages: stagesOf(records, policy), records, ...(served === undefined ? {} : { served }) }
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
      for (const { run, version, stage } of policies.flatMap(({ stages }) => stages)) {
        lines.push(`run ${run}  ${stage.padEnd(10)}  version ${version.slice(0, 12)}`)
      }
      for (const { id, act, alias, run, by, reason } of policies.flatMap(({ records }) => records)) {
        lines.push(`${id}  ${act} of ${alias} to ${run}${by ? ` by ${by}` : ''}${reason ? `: ${reason}` : ''}`)
      }
    }
    for (const { served } of policies) if (served !== undefined) lines.push(...tellSplit(served))
    context.stdout.write(`${lines.join('\n')}\n`)
    return 0
  },
})

/** What came of what was served in this clone. */
function tellSplit({ champion, challenger, difference }: SplitReport): string[] {
  const short = (value: number | null) => (value === null ? '-' : String(Number(value.toPrecision(4))))
  const line = (name: string, { decisions, keys, score, usd }: ServedRun) =>
    `served by the ${name}: ${counted(decisions, 'decision')}, outcomes of ${counted(keys, 'key')}, mean score ${short(score)}, mean cost $${short(usd)}`
  const lines = [line('champion', champion), ...(challenger === undefined ? [] : [line('challenger', challenger)])]
  if (difference === undefined) return lines
  const { estimate, low, high } = difference
  const word = low > 0 ? 'the challenger is better' : high < 0 ? 'the challenger is worse' : 'no difference can be told'
  return [...lines, `difference in score ${short(estimate)} in [${short(low)}, ${short(high)}]: ${word}`]
}
