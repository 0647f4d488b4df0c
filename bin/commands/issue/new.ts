import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ValuetrainError } from '../../../core/errors.ts'
import { defineCommand, flag } from '../../command.ts'
import { type Context, readStdin } from '../../context.ts'
import { openIssues } from '../../wiring.ts'

export default defineCommand({
  description:
    'Writes an issue and prints its number. Nothing is committed; a run reads the issue as it lies in the working tree.',
  examples: [
    {
      does: 'An issue for Auto-Pilot, worked by a recipe',
      line: 'issue new --title "Sort the imports" --label auto --label recipe:tidy',
    },
    { does: 'The text from standard input', line: 'issue new --title "Fix rounding" --body -' },
  ],
  flags: {
    title: flag.required('TITLE', 'What is wanted, in one line.'),
    body: flag.text('FILE', 'File with the text in Markdown; - reads standard input.'),
    label: flag.list('LABEL', 'A label; may be given several times.'),
    assignee: flag.list('NAME', 'Whose issue it is; an assigned issue is left to that person.'),
    'blocked-by': flag.issues('An issue that must be closed first; may be given several times.'),
  },
  json: true,
  forge: true,
  async run(context, { flags }) {
    const { forge } = await openIssues(context, flags.forge)
    const issue = await forge.openIssue({
      title: flags.title,
      body: await bodyOf(context, flags.body),
      labels: flags.label,
      assignees: flags.assignee,
      blockedBy: flags['blocked-by'],
    })
    if (flags.json) context.stdout.write(`${JSON.stringify(issue)}\n`)
    else {
      context.stdout.write(`${issue.number}\n`)
      context.stderr.write(`wrote ${issue.location}\nnext: valuetrain run ${issue.number}\n`)
    }
    return 0
  },
})

async function bodyOf(context: Context, file: string | undefined): Promise<string> {
  if (file === undefined) return ''
  if (file === '-') return readStdin(context)
  try {
    return await readFile(resolve(context.cwd, file), 'utf8')
  } catch (cause) {
    throw new ValuetrainError('VT_BODY_UNREADABLE', `--body ${file} cannot be read: ${(cause as Error).message}`, {
      hint: 'name a text file, or - for standard input',
      cause,
    })
  }
}
