import { renderDiagram } from '../../conductor/diagram.ts'
import type { Page } from './page.ts'

/** The conductor's machine, drawn from the machine itself. */
export const machinePages: readonly Page[] = [{ file: 'docs/machine.md', render: async () => renderDiagram() }]
