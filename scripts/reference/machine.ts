import { renderDiagram } from '../../conductor/diagram.ts'
import { GENERATED, type Page } from './page.ts'

/** The conductor's machine, drawn from the machine itself. */
export const machinePages: readonly Page[] = [
  {
    file: 'docs/machine.md',
    render: async () => {
      const diagram = renderDiagram().trim()
      return `${GENERATED}

# The machine of a ticket

What a ticket can be in, and which recorded event takes it where. The machine only says what is due; the loop does it and appends what
happened ([decision 0005](decisions/0005-the-status-machine-names-what-is-due.md)). An event that is not drawn here is refused.

${diagram.includes('```') ? diagram : `\`\`\`mermaid\n${diagram}\n\`\`\``}
`
    },
  },
]
