import { openRepository } from '../../../core/repository.ts'
import { installHooks } from '../../../hooks/install.ts'
import { probeHooks } from '../../../hooks/probe.ts'
import { defineCommand, flag } from '../../command.ts'
import { hookProgram } from '../../hook-program.ts'

export default defineCommand({
  description:
    'Installs git hooks that judge commits in every worktree of this clone: sessions, secrets, sizes, messages. Hooks that are there stay and are called first. Ends with a real commit in a throw-away worktree that shows whether they fire.',
  examples: [
    { does: 'Install, into husky where husky is', line: 'hooks install' },
    { does: 'Install into the common hooks directory', line: 'hooks install --mode native' },
  ],
  flags: { mode: flag.choice(['native', 'husky', 'chain'], 'Where to install; husky where husky is, else native, unless told.') },
  json: true,
  async run(context, { flags }) {
    const repository = await openRepository(context.cwd, context.env)
    // Beside other hooks native is chain; the word is taken because people look for it.
    const mode = flags.mode === 'chain' ? 'native' : flags.mode
    const installed = await installHooks(repository, { mode, ...hookProgram() })
    const probe = await probeHooks(repository, context.ids.ulid())
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ ok: probe.why === null, ...installed, probe })}\n`)
    } else {
      const { chained, setting } = installed
      context.stdout.write(
        `installed hooks in ${installed.mode === 'husky' ? 'husky' : chained.length > 0 ? 'chain' : 'native'} mode\n`,
      )
      if (chained.length > 0) context.stdout.write(`called first: ${chained.join(', ')}\n`)
      if (setting !== undefined) context.stdout.write(`set ${setting}\n`)
      const shown =
        probe.why === null ? `a commit in a new worktree called ${probe.fired.join(', ')}` : `they do not fire: ${probe.why}`
      context.stdout.write(`${shown}\n`)
    }
    return probe.why === null ? 0 : 1
  },
})
