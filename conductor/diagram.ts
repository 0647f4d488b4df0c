import { CHILD_STATES, MODES } from '../core/contracts/names.ts'
import { mayMove } from '../modes/table.ts'
import { ticketMachine } from './machine.ts'

/** Returns the machine as Markdown with two Mermaid diagrams, generated from the machine itself and the edge table. */
export function renderDiagram(): string {
  return [
    '# The ticket machine',
    '',
    'Generated from `conductor/machine.ts` and the edge table of `modes/` by `npm run docs`; do not edit.',
    '',
    '## Position: the nine modes',
    '',
    'A phase may be entered when it is due and its mode is the present one (a hold or the next phase of the same mode) or an edge away.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...MODES.flatMap((mode) => {
      const children: readonly string[] | undefined = mode === 'build' || mode === 'evaluate' ? CHILD_STATES[mode] : undefined
      return children ? [`  state ${mode} {`, ...children.map((child) => `    ${child.replaceAll('-', '_')}`), '  }'] : []
    }),
    ...MODES.flatMap((from) => MODES.filter((to) => from !== to && mayMove(from, to)).map((to) => `  ${from} --> ${to}`)),
    '```',
    '',
    '## Work: what is going on',
    '',
    'An arrow is an event of the session; the words in brackets are the one thing that is due in a state.',
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...workDiagram(),
    '```',
    '',
  ].join('\n')
}

interface Node {
  key: string
  path: string[]
  type: string
  states: Record<string, Node>
  meta?: { due?: string }
  initial?: { target?: Node[] }
  transitions: Map<string, { target?: Node[]; guard?: unknown; eventType: string }[]>
}

function workDiagram(): string[] {
  const work = (ticketMachine.root as unknown as Node).states.work as Node
  const lines: string[] = []
  visit(work, lines)
  return lines
}

function visit(node: Node, lines: string[]): void {
  for (const child of Object.values(node.states)) {
    if (child.type === 'history') continue
    const name = nameOf(child)
    if (child.meta?.due) lines.push(`  ${name} : ${child.key} [${child.meta.due}]`)
    const arrows = new Map<string, Set<string>>()
    for (const [event, transitions] of child.transitions) {
      for (const { target } of transitions) {
        for (const to of target ?? []) {
          const goal = to.type === 'history' ? 'where_it_was' : nameOf(to)
          const events = arrows.get(goal) ?? new Set()
          arrows.set(goal, events.add(event))
        }
      }
    }
    for (const [goal, events] of arrows) lines.push(`  ${name} --> ${goal} : ${[...events].join(', ')}`)
    visit(child, lines)
  }
}

function nameOf(node: Node): string {
  return node.path.slice(1).join('_')
}
