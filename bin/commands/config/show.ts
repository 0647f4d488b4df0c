import * as YAML from 'yaml'
import { CONFIG_FILE } from '../../../core/config.ts'
import { argument, defineCommand } from '../../command.ts'
import { configKey, valueAt } from '../../config-path.ts'
import { openHere } from '../../wiring.ts'

export default defineCommand({
  description:
    'Prints the configuration of the working tree with every default filled in. Runs and gates read it from the commit they start from, never from here.',
  examples: [
    { does: 'Print all of it', line: 'config show' },
    { does: 'Print one key', line: 'config show commands.test' },
  ],
  args: { path: argument.optional('Dotted key, e.g. commands.test.') },
  json: true,
  async run(context, { args, flags }) {
    const { config, found } = await openHere(context)
    const value = args.path === undefined ? config : (valueAt(config, configKey(args.path).path) ?? null)
    if (flags.json) {
      const answer = args.path === undefined ? { file: CONFIG_FILE, found, config } : { path: args.path, value }
      context.stdout.write(`${JSON.stringify(answer)}\n`)
      return 0
    }
    if (args.path === undefined) {
      context.stdout.write(
        found ? `# ${CONFIG_FILE}, defaults filled in\n` : `# no ${CONFIG_FILE} here; these are the defaults\n`,
      )
    }
    context.stdout.write(YAML.stringify(value, { lineWidth: 0 }))
    return 0
  },
})
