import type { ModeSpec, RoleSpec } from '../core/contracts/method.ts'

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
