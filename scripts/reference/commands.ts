import { type AnyCommand, globalFlags } from '../../bin/command.ts'
import { COMMANDS, type CommandEntry } from '../../bin/commands.ts'

import { code, GENERATED, type Page, table } from './page.ts'

/** Every command, from the table that dispatches them. */
export const commandPages: readonly Page[] = [{ file: 'docs/reference/commands.md', render: renderPage }]

async function renderPage(): Promise<string> {
  const loaded = await Promise.all(COMMANDS.map(async (entry) => ({ entry, spec: (await entry.load()).default })))
  const groups = [...new Set(COMMANDS.map(({ group }) => group))].map((group) => {
    const rows = COMMANDS.filter((entry) => entry.group === group).map((entry) => [
      `[${code(`valuetrain ${entry.id}`)}](#${anchor(entry)})`,
      entry.summary,
    ])
    return `**${group}**\n\n${table(['command', 'does'], rows)}`
  })
  return `${GENERATED}

# Commands

\`valuetrain [-C DIR] <command> [arguments] [flags]\`. Commands that read take \`--json\`. Exit codes: 0 done, 1 a gate said no or somebody is
waited for, 2 wrong command line or configuration, 3 wrong surroundings, 70 our bug; [errors](errors.md) lists the codes.

${groups.join('\n\n')}

${loaded.map(({ entry, spec }) => section(entry, spec)).join('\n\n')}
`
}

function anchor({ id }: CommandEntry): string {
  return id.replaceAll(' ', '-')
}

function section(entry: CommandEntry, spec: AnyCommand): string {
  const usage = `valuetrain ${entry.id}${entry.usage ? ` ${entry.usage}` : ''}`
  const parts = [`## ${entry.id}`, `${entry.summary}.`, `\`\`\`text\n${usage}\n\`\`\``]
  if (spec.description) parts.push(spec.description)
  const words = Object.entries(spec.args ?? {}).map(([name, { summary, required, choices }]) => [
    code(name.toUpperCase()),
    `${sentence(summary)}${choices ? ` One of ${choices.map(code).join(', ')}.` : ''}${required ? '' : ' Optional.'}`,
  ])
  const flags = Object.entries({ ...spec.flags, ...globalFlags(spec) }).map(([name, flag]) => {
    const extra = [
      'choices' in flag && flag.choices ? ` One of ${flag.choices.map(code).join(', ')}.` : '',
      'required' in flag && flag.required ? ' Required.' : '',
      'multiple' in flag && flag.multiple ? ' May be given several times.' : '',
    ]
    return [code(`--${name}${flag.value ? ` ${flag.value}` : ''}`), `${sentence(flag.summary)}${extra.join('')}`]
  })
  parts.push(table(['argument or flag', 'meaning'], [...words, ...flags]))
  const examples = (spec.examples ?? []).map(({ does, line }) => `# ${does}\nvaluetrain ${line}`)
  if (examples.length > 0) parts.push(`\`\`\`sh\n${examples.join('\n\n')}\n\`\`\``)
  return parts.join('\n\n')
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`
}
