import { openRepository } from '../../../core/repository.ts'
import { probeHooks } from '../../../hooks/probe.ts'
import { defineCommand } from '../../command.ts'

export default defineCommand({
  description:
    'Makes a real commit in a throw-away worktree and says which hooks git called. Exit code 1 when one of ours was not.',
  json: true,
  async run(context, { flags }) {
    const probe = await probeHooks(await openRepository(context.cwd, context.env), context.ids.ulid())
    const ok = probe.why === null
    if (flags.json) context.stdout.write(`${JSON.stringify({ ok, ...probe })}\n`)
    else if (ok) context.stdout.write(`a commit in a new worktree called ${probe.fired.join(', ')}\n`)
    else context.stdout.write(`a commit in a new worktree did not call ${probe.missing.join(', ')}: ${probe.why}\n`)
    return ok ? 0 : 1
  },
})
