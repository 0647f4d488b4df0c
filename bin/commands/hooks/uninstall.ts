import { openRepository } from '../../../core/repository.ts'
import { uninstallHooks } from '../../../hooks/uninstall.ts'
import { defineCommand } from '../../command.ts'

export default defineCommand({
  description: 'Takes the hooks away and puts back, byte for byte, what was there before. What somebody changed since stays.',
  json: true,
  async run(context, { flags }) {
    const { found, left } = await uninstallHooks(await openRepository(context.cwd, context.env))
    if (flags.json) context.stdout.write(`${JSON.stringify({ found, left })}\n`)
    else {
      context.stdout.write(found ? 'hooks taken away\n' : 'no hooks are installed\n')
      for (const line of left) context.stdout.write(`  ${line}\n`)
    }
    return 0
  },
})
