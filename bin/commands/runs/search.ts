import { lineOf, matches, readRuns } from '../../../training/run/index.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { openTraining } from '../../training.ts'
import { requireSound, tellRuns } from './list.ts'

export default defineCommand({
  description:
    'Finds runs by words and conditions. A condition compares a field of the run or of its inputs: verdict=pass, candidate>=475, settings.gamma=0.98.',
  examples: [
    { does: 'Runs of PPO that passed', line: 'runs search ppo --and verdict=pass' },
    {
      does: 'Good ones with a high learning rate',
      line: "runs search 'candidate>=475' --and 'settings.learningRate.from>0.001'",
    },
  ],
  args: { term: argument.text('A word or a condition.') },
  flags: { and: flag.list('TERM', 'Another one; a run has to match them all.') },
  json: true,
  async run(context, { args, flags }) {
    const { runs, altered } = await readRuns((await openTraining(context)).runs)
    const terms = [args.term, ...flags.and]
    const lines = runs.filter((stored) => matches(stored, terms)).map(lineOf)
    context.stdout.write(flags.json ? `${JSON.stringify(lines)}\n` : `${tellRuns(lines, context)}\n`)
    requireSound(altered)
    return 0
  },
})
