import { didYouMean } from '../core/errors.ts'
import { TOOLS } from '../modes/tools.ts'

export { allowedTools, TOOLS, type Tool } from '../modes/tools.ts'

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
