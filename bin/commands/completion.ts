import { argument, defineCommand, globalFlags } from '../command.ts'
import { COMMANDS } from '../commands.ts'
import { completionScript, SHELLS } from '../completion-script.ts'

export default defineCommand({
  description: 'Prints a script that completes commands, flags and their values. It asks nothing of valuetrain while you type.',
  examples: [
    { does: 'bash, for this shell', line: 'completion bash > ~/.valuetrain.bash && . ~/.valuetrain.bash' },
    { does: 'zsh, with a folder of fpath', line: 'completion zsh > ~/.zfunc/_valuetrain' },
    { does: 'fish', line: 'completion fish > ~/.config/fish/completions/valuetrain.fish' },
  ],
  args: { shell: argument.choice(SHELLS, 'The shell the script is for.') },
  async run(context, { args }) {
    const commands = await Promise.all(
      COMMANDS.map(async ({ id, summary, load }) => {
        const { default: spec } = await load()
        const flags = { ...spec.flags, ...globalFlags(spec) }
        return {
          id,
          summary,
          words: Object.values(spec.args ?? {})[0]?.choices ?? [],
          flags: Object.entries(flags).map(([name, flag]) => ({
            name,
            summary: flag.summary,
            takesValue: flag.value !== undefined,
            choices: flag.choices ?? [],
          })),
        }
      }),
    )
    context.stdout.write(completionScript(args.shell, commands))
    return 0
  },
})
