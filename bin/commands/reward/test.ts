import { readFile } from 'node:fs/promises'
import { fileError } from '../../../core/files.ts'
import { parseYaml } from '../../../core/frontmatter.ts'
import { parseRewardSamples, testReward } from '../../../training/reward/index.ts'
import { argument, defineCommand } from '../../command.ts'
import { table } from '../../display/text.ts'
import { outputPath } from '../../training.ts'

export default defineCommand({
  description:
    'Computes a reward on sample episodes and says what is wrong with it: an order or a number that is missed, a wrong answer above a right one, rewards that are all alike. Exit code 1 when something is.',
  examples: [{ does: 'Test a file', line: 'reward test reward-samples.yaml' }],
  args: { file: argument.text('YAML or JSON with `reward` and `episodes`.') },
  json: true,
  async run(context, { args, flags }) {
    const file = outputPath(context, args.file)
    const text = await readFile(file, 'utf8').catch((cause) => {
      throw fileError(cause, 'read', args.file)
    })
    const { rows, problems } = testReward(parseRewardSamples(parseYaml(text, args.file), args.file))
    if (flags.json) context.stdout.write(`${JSON.stringify({ rows, problems })}\n`)
    else {
      const lines = rows.map(({ id, reward }) => [
        id,
        String(Number(reward.scalar.toPrecision(6))),
        reward.right ? 'right' : 'wrong',
        reward.feedback,
      ])
      context.stdout.write(`${table(lines)}\n${problems.map((problem) => `problem: ${problem}\n`).join('')}`)
    }
    return problems.length === 0 ? 0 : 1
  },
})
