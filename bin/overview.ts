import { COMMANDS, type CommandEntry } from './commands.ts'

const GROUPS = ['Begin', 'Work', 'Tickets', 'Training', 'Audit', 'Rules', 'Upkeep'] as const

/** Returns the help of the whole program. Loads no command. */
export function overview(version: string, table: readonly CommandEntry[] = COMMANDS): string {
  const width = Math.max(...table.map((entry) => typed(entry).length))
  const groups = GROUPS.map((group) => {
    const lines = table.filter((entry) => entry.group === group).map((entry) => line(entry, width))
    return `${group}\n${lines.join('\n')}`
  })
  return `valuetrain ${version}: issues become gated, audited, merged changes; git is the only thing it needs

Usage: valuetrain [-C DIR] <command> [arguments] [flags]

${groups.join('\n\n')}

Every command explains itself with --help; reading commands take --json.
Exit codes: 0 done, 1 a gate said no or somebody is waited for, 2 wrong command line or configuration,
3 wrong surroundings, 70 our bug.
`
}

/** Returns the help of a topic such as `issue`: its commands. */
export function topicHelp(topic: string, entries: readonly CommandEntry[]): string {
  const width = Math.max(...entries.map((entry) => typed(entry).length))
  return `Usage: valuetrain ${topic} <command>\n\n${entries.map((entry) => line(entry, width)).join('\n')}\n`
}

function typed(entry: CommandEntry): string {
  return entry.usage ? `${entry.id} ${entry.usage}` : entry.id
}

function line(entry: CommandEntry, width: number): string {
  return `  ${typed(entry).padEnd(width)}  ${entry.summary}`
}
