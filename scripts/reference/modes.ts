import { defaultConfig } from '../../core/config.ts'
import type { FileReader, Item, ModeSpec, PhaseSpec, PipelineSpec, RoleSpec } from '../../core/contracts/method.ts'
import { loadMethod, stretches } from '../../modes/index.ts'
import { code, GENERATED, type Page, table } from './page.ts'

/** The nine modes, the seven roles and the pipelines, as they are without overrides. */
export const modePages: readonly Page[] = [{ file: 'docs/reference/modes.md', render: renderPage }]

/** A repository without a file of its own. */
const NOTHING: FileReader = { source: 'nothing', read: async () => undefined, list: async () => [] }

async function renderPage(): Promise<string> {
  const { modes, roles, pipelines } = await loadMethod(NOTHING, defaultConfig())
  const overview = [...modes.values()].map(({ id, title, roles, transitions }, index) => [
    String(index + 1),
    `[${code(id)}](#${id})`,
    title,
    roles.join(', '),
    transitions.forward.join(', '),
    transitions.back.join(', '),
  ])
  return `${GENERATED}

# Modes, roles and pipelines

What is built in. A repository overrides a mode, a role or a pipeline with a file of the same id in \`.valuetrain/modes\`,
\`.valuetrain/roles\` or \`.valuetrain/pipelines\`; \`valuetrain mode show MODE\` prints what holds there. A \`*\` marks what is required.

${table(['#', 'mode', 'title', 'roles', 'forward', 'back'], overview)}

Staying in a mode is a hold: always allowed, and recorded. Any edge that is not in this table is refused.

${[...modes.values()].map(renderMode).join('\n\n')}

# Roles

${table(['role', 'title', 'modes', 'tools', 'purpose'], [...roles.values()].map(roleRow))}

# Pipelines

${[...pipelines.values()].map(renderPipeline).join('\n\n')}
`
}

function renderMode(mode: ModeSpec): string {
  const parts = [`## ${mode.id}`, `**${mode.title}.** ${mode.purpose.trim()}`]
  if (mode.children.length > 0) parts.push(`Child states: ${mode.children.map(code).join(', ')}.`)
  if (mode.tools.length > 0) parts.push(`Tools beyond reading, writing, git and the forge: ${mode.tools.map(code).join(', ')}.`)
  if (mode.entry.length > 0) parts.push(`Before it begins:\n\n${items(mode.entry)}`)
  parts.push(items(mode.checklist))
  if (mode.deliverables.length > 0) {
    const rows = mode.deliverables.map(({ title, file, required }) => [
      `${title}${required ? ' \\*' : ''}`,
      code(`artifacts/${file}`),
    ])
    parts.push(table(['deliverable', 'file'], rows))
  }
  if (mode.exit.length > 0) parts.push(`Before it is left:\n\n${items(mode.exit)}`)
  if (mode.gates.length > 0) parts.push(`Gates besides the guard-rails: ${mode.gates.map(code).join(', ')}.`)
  parts.push(`Held: ${mode.transitions.hold.trim()}`)
  return parts.join('\n\n')
}

function items(list: readonly Item[]): string {
  const rows = list.map(({ id, text, required, evidence }) => [
    `${code(id)}${required ? ' \\*' : ''}`,
    text,
    evidenceText(evidence),
  ])
  return table(['item', 'says', 'shown by'], rows)
}

function evidenceText(evidence: Item['evidence']): string {
  switch (evidence.kind) {
    case 'file':
      return `file ${code(evidence.path)}`
    case 'command':
      return evidence.argv ? `command ${code(evidence.argv.join(' '))}` : `the configured ${code(evidence.command ?? '')} command`
    case 'metric':
      return `number ${code(evidence.path)} in ${code(evidence.file)}`
    case 'approval':
      return `approval${evidence.roles.length > 0 ? ` by ${evidence.roles.join(' or ')}` : ''}`
    case 'link':
      return `link to ${evidence.to}`
    case 'gate':
      return `gate ${code(evidence.gate)}`
  }
}

function roleRow({ id, title, modes, tools, purpose }: RoleSpec): string[] {
  return [code(id), title, modes.join(', '), tools.join(', '), purpose.trim()]
}

function renderPipeline(pipeline: PipelineSpec): string {
  const ships = new Map<PhaseSpec, number>()
  for (const [index, stretch] of stretches(pipeline).entries()) for (const phase of stretch) ships.set(phase, index + 1)
  const rows = pipeline.phases.map((phase) => [
    code(phase.name),
    phase.child ? `${phase.mode}.${phase.child}` : phase.mode,
    phase.role ?? '',
    String(ships.get(phase) ?? ''),
    phase.works ? (phase.children ? 'a role; opens child tickets' : 'a role') : 'the conductor alone',
    phase.next === undefined ? '' : (phase.next ?? 'end'),
  ])
  return `## ${pipeline.id}\n\n${pipeline.purpose.trim()}\n\n${table(['phase', 'mode', 'owner', 'stretch', 'worked by', 'next unless the one below'], rows)}`
}
