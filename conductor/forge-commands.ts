/** What a person can ask of a ticket in a comment. */
export const FORGE_COMMANDS = ['pause', 'resume', 'abort', 'approve', 'retry', 'take', 'status'] as const
export type ForgeCommandName = (typeof FORGE_COMMANDS)[number]

export interface ForgeCommand {
  name: ForgeCommandName
  /** What stands behind it on its line: a reason, or a gate to approve. */
  text: string
}

const COMMAND = new RegExp(`^/(${FORGE_COMMANDS.join('|')})(?:[ \\t]+(.*))?$`)
const FENCE = /^ {0,3}(`{3,}|~{3,})/

/**
 * Returns the command of a comment: the first line that begins with one. What is quoted, indented as code or fenced is
 * somebody else's or an example, and no command.
 */
export function commandIn(body: string): ForgeCommand | undefined {
  let fence: string | undefined
  for (const line of body.split(/\r?\n/)) {
    const mark = FENCE.exec(line)?.[1]
    if (fence !== undefined) {
      if (mark?.startsWith(fence) && line.trim() === mark) fence = undefined
      continue
    }
    if (mark !== undefined) {
      fence = mark
      continue
    }
    const found = COMMAND.exec(line.trimEnd())
    if (found) return { name: found[1] as ForgeCommandName, text: (found[2] ?? '').trim().slice(0, 2_000) }
  }
  return undefined
}
