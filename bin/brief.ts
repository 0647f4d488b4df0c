import { allowedTools, briefOf } from '../agents/index.ts'
import type { BriefParts } from '../conductor/ports.ts'
import { ticketFolder } from '../core/contracts/names.ts'

/** Returns the brief of a turn: the conductor's facts in the words of `agents/`. */
export function renderBrief(parts: BriefParts): string {
  const { issue, ticket, phase, mode, role, attempt } = parts
  const asked = new Set(phase.items ?? mode.checklist.map(({ id }) => id))
  const items = mode.checklist.filter(({ id }) => asked.has(id))
  const instructions = Object.entries(parts.instructions).map(([file, text]) => `${file}:\n${text}`)
  const notes = [...parts.notes, ...instructions]
  return briefOf({
    ticket,
    issue: { ...issue, labels: [...issue.labels] },
    pipeline: parts.pipeline,
    phase: phase.name,
    mode,
    child: phase.child,
    role,
    tools: allowedTools(role, mode),
    attempt,
    attempts: parts.attempts,
    items: items.map(({ id, text, required }) => ({ id, text, required, done: false })),
    deliverables: phase.artifacts ?? mode.deliverables.map(({ file }) => file),
    artifacts: `${ticketFolder(ticket)}/artifacts`,
    gates: (phase.gates ?? mode.gates).map((id) => ({ id, title: id })),
    failures: parts.failures.map((reason) => ({ gate: 'attempt', reasons: [reason] })),
    ...(notes.length > 0 ? { handOff: notes.join('\n\n') } : {}),
  })
}
