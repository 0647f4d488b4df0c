import type { ModeSpec, RoleSpec } from '../core/contracts/method.ts'
import { didYouMean } from '../core/errors.ts'

export const TOOLS = ['read', 'write', 'git', 'forge', 'web-fetch', 'run-code', 'run-tests'] as const
/** What an agent can ask to do, by kind. */
export type Tool = (typeof TOOLS)[number]

/** What every mode allows; the rest has to stand in the mode. */
const ALWAYS: readonly Tool[] = ['read', 'write', 'git', 'forge']

/** Returns the tools a role may use in a mode: its own, as far as the mode allows them; none in a mode that is not its own. */
export function allowedTools(role: Pick<RoleSpec, 'modes' | 'tools'>, mode: Pick<ModeSpec, 'id' | 'tools'>): Tool[] {
  if (!role.modes.includes(mode.id)) return []
  return role.tools.filter((tool) => ALWAYS.includes(tool) || (mode.tools as readonly Tool[]).includes(tool))
}

/**
 * Tells whether a tool call may happen, and why not. The runner asks this before it lets a call through; what a prompt
 * says about tools is advice.
 *
 * @param tools what the role may use in this mode, from {@link allowedTools}
 */
export function judgeTool(
  { role, mode, tools }: { role: string; mode: string; tools: readonly string[] },
  tool: string,
): { allowed: boolean; why: string } {
  if (tools.includes(tool)) return { allowed: true, why: `the role ${role} may use ${tool} in ${mode}` }
  if (!(TOOLS as readonly string[]).includes(tool)) {
    return { allowed: false, why: `there is no tool "${tool.slice(0, 80)}"${didYouMean(tool, TOOLS)}` }
  }
  return { allowed: false, why: `the role ${role} may not use ${tool} in ${mode} (it may use ${tools.join(', ') || 'nothing'})` }
}
