import type { GateKind, GateSpec } from '../../core/contracts/gate.ts'
import { builtinGates } from '../../gates/index.ts'
import { code, GENERATED, type Page, table } from './page.ts'

/** The built-in gates. */
export const gatePages: readonly Page[] = [{ file: 'docs/reference/gates.md', render: renderPage }]

async function renderPage(): Promise<string> {
  const rows = builtinGates.map(({ id, title, severity, subject, stages }) => [
    `[${code(id)}](#${id})`,
    title,
    severity,
    subject,
    stages.join(', '),
  ])
  return `${GENERATED}

# Built-in gates

A repository adds its own under \`gates:\` in [its configuration](config.md#gates) or by an extension; \`valuetrain new gate NAME\` writes one to
start from. The gates \`lint\`, \`types\`, \`build\` and \`test\` exist where \`commands:\` names a command for them. \`valuetrain gate plan\` says
which gates would be asked here and why.

The subject says what a verdict is about, and so when it may be used again: a result holds for exactly the inputs it was given.

${table(['gate', 'title', 'severity', 'subject', 'asked at'], rows)}

${builtinGates.map(section).join('\n\n')}
`
}

function section(gate: GateSpec): string {
  const facts = [
    `Kind: ${kindOf(gate.kind)}.`,
    gate.needs.length > 0 ? `Needs ${gate.needs.map(code).join(', ')}.` : '',
    gate.waiver.allowed
      ? `May be waived${gate.waiver.roles.length > 0 ? ` by ${gate.waiver.roles.join(', ')}` : ''} with a reason, for at most ${gate.waiver.maxDays} days.`
      : 'Is never waived.',
    gate.mendedBy === 'person' ? 'Where it fails a person is asked, and no further attempt is spent.' : '',
    gate.cache ? '' : 'Is judged anew each time.',
  ]
  return `## ${gate.id}\n\n**${gate.title}.** ${gate.why}\n\n${facts.filter((fact) => fact !== '').join(' ')}`
}

function kindOf(kind: GateKind): string {
  switch (kind.type) {
    case 'command':
      return `command ${code(kind.argv.join(' '))}`
    case 'builtin':
      return 'built in'
    case 'kofn':
      return `${kind.k} of ${kind.of.map(code).join(', ')}`
    default:
      return kind.type
  }
}
