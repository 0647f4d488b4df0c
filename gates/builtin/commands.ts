import type { Config } from '../../core/config.ts'
import { GateSpec } from '../../core/contracts/gate.ts'

/** Commands that a configuration may name, in the order in which they are run: cheap ones first. */
export const COMMAND_NAMES = ['lint', 'types', 'build', 'test'] as const
/** Name that stands for all configured commands where gates are listed. */
export const COMMANDS = 'commands'
export type CommandName = (typeof COMMAND_NAMES)[number]

/** Returns the commands a configuration leaves out, so that a report says so instead of passing in silence. */
export function unnamedCommands(config: Config): string[] {
  return COMMAND_NAMES.filter((name) => config.commands[name] === undefined)
}

const TITLES: Record<CommandName, string> = {
  lint: 'The lint command succeeds',
  types: 'The type check succeeds',
  build: 'The build succeeds',
  test: 'The tests pass',
}

/** Returns one gate for each command the configuration names; what it does not name has no gate, and a report says so. */
export function commandGates(config: Config): GateSpec[] {
  return COMMAND_NAMES.flatMap((name) => {
    const argv = config.commands[name]
    if (argv === undefined) return []
    return GateSpec.parse({
      id: name,
      title: TITLES[name],
      why: `\`commands.${name}\` must succeed on every tree that is delivered`,
      kind: { type: 'command', argv },
      subject: 'tree',
      timeoutMs: config.limits.gateMs,
      versions: versionsOf(argv),
    })
  })
}

/**
 * Returns the commands whose output identifies what a program runs on. Only programs that are known to answer
 * harmlessly are asked; whatever lies in the tree (a lock file, a vendored tool) is part of the subject anyway.
 */
export function versionsOf(argv: readonly string[]): string[][] {
  const program = (argv[0] ?? '').split('/').at(-1) ?? ''
  const known = Object.entries(TOOLCHAINS).find(([names]) => names.split(' ').includes(program))
  return known?.[1] ?? []
}

const TOOLCHAINS: Readonly<Record<string, string[][]>> = {
  'node npm npx pnpm yarn tsx corepack': [['node', '--version']],
  'bun bunx': [['bun', '--version']],
  deno: [['deno', '--version']],
  'python python3 pytest tox poetry uv pip': [['python3', '--version']],
  cargo: [['rustc', '--version']],
  go: [['go', 'version']],
  'java mvn gradle': [['java', '-version']],
  dotnet: [['dotnet', '--version']],
  'ruby bundle rake': [['ruby', '--version']],
  'php composer': [['php', '--version']],
}
