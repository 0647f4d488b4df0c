import type { Item, ModeSpec } from '../../../core/contracts/method.ts'
import { MODES } from '../../../core/contracts/names.ts'
import { argument, defineCommand } from '../../command.ts'
import { type Paint, paintFor } from '../../display/paint.ts'
import { table, wrap } from '../../display/text.ts'
import { methodHere } from '../../wiring.ts'

export default defineCommand({
  description:
    'Shows what a mode is for, who works in it, what must be true to leave it, and where it may go. A star marks what is required.',
  args: { mode: argument.choice(MODES, 'One of the nine modes.') },
  json: true,
  async run(context, { args, flags }) {
    const mode = (await methodHere(context)).modes.get(args.mode) as ModeSpec
    context.stdout.write(flags.json ? `${JSON.stringify(mode)}\n` : render(mode, paintFor(context)))
    return 0
  },
})

function render(mode: ModeSpec, paint: Paint): string {
  const facts = [
    ['roles', mode.roles.join(', ')],
    ['tools', ['read', 'write', 'git', 'forge', ...mode.tools].join(', ')],
    ['children', mode.children.join(', ')],
    ['gates', mode.gates.join(', ')],
    ['forward', mode.transitions.forward.join(', ')],
    ['back', mode.transitions.back.join(', ')],
    ['hold', mode.transitions.hold],
  ].filter(([, value]) => value !== '')
  const sections = [
    `${paint.bold(mode.title)}\n${wrap(mode.purpose, 100, 2)}`,
    table(
      facts.map(([name = '', value = '']) => [paint.dim(name), value]),
      2,
    ),
    itemSection('entry', mode.entry, paint),
    itemSection('checklist', mode.checklist, paint),
    mode.deliverables.length === 0
      ? ''
      : `${paint.bold('deliverables')}\n${table(
          mode.deliverables.map(({ file, title, required }) => [`${required ? '*' : ' '} ${paint.name(file)}`, title]),
          2,
        )}`,
    itemSection('exit', mode.exit, paint),
  ]
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`
}

function itemSection(title: string, items: readonly Item[], paint: Paint): string {
  if (items.length === 0) return ''
  const rows = items.map(({ id, text, required, evidence }) => [
    `${required ? '*' : ' '} ${paint.name(id)}`,
    paint.dim(evidence.kind),
    text,
  ])
  return `${paint.bold(title)}\n${table(rows, 2)}`
}
