import { openRepository } from '../../../core/repository.ts'
import { hookStatus } from '../../../hooks/inspect.ts'
import { defineCommand } from '../../command.ts'
import { ownGitDir } from '../../hook-program.ts'

export default defineCommand({
  description:
    'Says how the hooks of this clone are installed, what is wrong with that, and what they noticed here. Exit code 1 when something is wrong or nothing is installed.',
  json: true,
  async run(context, { flags }) {
    const repository = await openRepository(context.cwd, context.env)
    const status = await hookStatus(repository, await ownGitDir(context))
    const ok = status.mode !== 'none' && status.problems.length === 0
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ok, ...status })}\n`)
      return ok ? 0 : 1
    }
    const { mode, chained, problems, noticed } = status
    context.stdout.write(mode === 'none' ? 'no hooks are installed\n' : `hooks are installed in ${mode} mode\n`)
    if (chained.length > 0) context.stdout.write(`called first: ${chained.join(', ')}\n`)
    for (const { what, todo } of problems) context.stdout.write(`problem: ${what}\n  → ${todo}\n`)
    for (const message of noticed) context.stdout.write(`noticed: ${message}\n`)
    return ok ? 0 : 1
  },
})
