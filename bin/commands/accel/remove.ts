import { removeAccelerator } from '../../../training/backend/accelerator.ts'
import { acceleratorFolder } from '../../../training/run/index.ts'
import { defineCommand } from '../../command.ts'
import { openTraining } from '../../training.ts'

export default defineCommand({
  description: 'Removes what `accel install` installed, and nothing else.',
  examples: [{ does: 'Remove it', line: 'accel remove' }],
  json: true,
  async run(context, { flags }) {
    const { stateDir } = await openTraining(context)
    const removed = await removeAccelerator(acceleratorFolder(stateDir))
    context.stdout.write(
      flags.json ? `${JSON.stringify({ removed })}\n` : removed ? 'removed\n' : 'nothing was installed; nothing removed\n',
    )
    return 0
  },
})
