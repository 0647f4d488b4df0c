import { resolve } from 'node:path'
import { committedConfig } from '../../conductor/definitions.ts'
import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import { openGit } from '../../core/git.ts'
import { openRepository } from '../../core/repository.ts'
import { fixStaged } from '../../hooks/fix.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { ownGitDir } from '../hook-program.ts'

/** Variables a command sees besides those the configuration names. */
const USUAL = ['PATH', 'HOME', 'LANG', 'TMPDIR']

export default defineCommand({
  description:
    'Runs the commands of a recipe, `fix` unless named, over what is staged and nothing else: in a checkout of the staged files. What they change is staged and brought into the working tree; where unstaged changes of the same lines are in the way, a file stays as it is. Hooks never do this by themselves.',
  examples: [{ does: 'Run the recipe named format', line: 'fix format' }],
  args: { recipe: argument.optional('Name of the recipe in the committed configuration.') },
  flags: { timeout: flag.count('SECONDS', 'End a command that takes longer; 120 unless told.', 1, 3600) },
  json: true,
  async run(context, { args, flags }) {
    const repository = await openRepository(context.cwd, context.env)
    const config = await committedConfig(repository)
    const name = args.recipe ?? 'fix'
    const commands = config.recipes[name]
    if (commands === undefined) {
      throw new ValuetrainError(
        'VT_RECIPE_UNKNOWN',
        `there is no recipe "${name.slice(0, 80)}"${didYouMean(name, Object.keys(config.recipes))}`,
        {
          kind: 'config',
          hint: 'name its commands under `recipes` in .valuetrain/config.yaml and commit that',
        },
      )
    }
    const top = resolve(context.cwd, (await openGit(context.cwd, context.env).text(['rev-parse', '--show-toplevel'])) || '.')
    const names = [...USUAL, ...config.workspace.env]
    const env = Object.fromEntries(
      names.flatMap((key) => (context.env[key] === undefined ? [] : [[key, context.env[key] as string]])),
    )
    const limitMs = (flags.timeout ?? 120) * 1000
    const { fixed, left } = await fixStaged(repository, { top, gitDir: await ownGitDir(context), commands, env, limitMs })
    if (flags.json) context.stdout.write(`${JSON.stringify({ ok: left.length === 0, fixed, left })}\n`)
    else {
      context.stdout.write(fixed.length === 0 ? 'nothing to fix in what is staged\n' : `fixed and staged: ${fixed.join(', ')}\n`)
      if (left.length > 0) context.stdout.write(`left, since unstaged changes are in the way: ${left.join(', ')}\n`)
    }
    return left.length === 0 ? 0 : 1
  },
})
