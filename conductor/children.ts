import * as z from 'zod'
import { checkShape } from '../core/config.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { ValuetrainError } from '../core/errors.ts'
import { parseMapping } from '../core/frontmatter.ts'
import { readerOf } from '../core/reader.ts'
import { hostedOf } from './change.ts'
import { isIssueDone } from './done.ts'
import type { Job, Step } from './job.ts'
import { commitRecord } from './record.ts'
import { strike, wait } from './work.ts'

/** What a phase that opens child tickets leaves in its artifacts: `children.yaml`. */
const Children = z.strictObject({
  children: z
    .array(
      z.strictObject({
        key: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/),
        title: z.string().min(1),
        body: z.string().default(''),
        labels: z.array(z.string()).default([]),
      }),
    )
    .max(50),
})

/**
 * Opens the child issues a phase asks for, once each however often it is run, and waits until all of them are done.
 * A child is an issue like any other: its tickets are worked on their own branches.
 */
export async function settleChildren(job: Job): Promise<Step> {
  const { desk } = job
  const file = `${ticketFolder(desk.ticket)}/artifacts/children.yaml`
  const text = await readerOf(desk.worktree.dir).read(file)
  const wanted = readChildren(text, file)
  if (wanted instanceof ValuetrainError) {
    await desk.record('DECIDED', strike(job, 'children-malformed', [wanted.message]))
    return 'go-on'
  }
  const parent = desk.state.ledger.opened?.issue.number ?? 0
  for (const child of wanted.children) {
    const known = desk.state.ledger.children.find(({ key }) => key === child.key)
    if (known?.issue !== undefined) continue
    if (known === undefined) {
      await desk.record('CHILD_INTENDED', { key: child.key, title: child.title })
      await commitRecord(desk, `Record the intent to open ${child.key}`)
      await desk.publish()
    }
    const issue = (await findChild(job, child.key)) ?? (await openChild(job, child, parent))
    await desk.record('CHILD_OPENED', { key: child.key, issue })
  }
  const open: number[] = []
  for (const { issue, done } of desk.state.ledger.children) {
    if (issue === undefined || done) continue
    const ticket = await isIssueDone(desk.ports, issue)
    if (ticket === undefined) open.push(issue)
    else await desk.record('CHILD_DONE', { issue, ticket })
  }
  await commitRecord(desk, 'Record the child tickets')
  if (open.length > 0)
    return wait(job, 'children', `child ${open.length === 1 ? 'issue' : 'issues'} ${open.map((n) => `#${n}`).join(', ')}`)
  const issues = desk.state.ledger.children.flatMap(({ issue }) => (issue === undefined ? [] : [issue]))
  await desk.record('CHILDREN_SETTLED', { issues })
  return 'go-on'
}

/** A malformed list is the agent's to mend, so it is an answer and not an exception. */
function readChildren(text: string | undefined, file: string): z.infer<typeof Children> | ValuetrainError {
  try {
    return text === undefined ? { children: [] } : checkShape(Children, parseMapping(text, file), file)
  } catch (error) {
    if (error instanceof ValuetrainError) return error
    throw error
  }
}

/** The marker by which a child that was opened just before a crash is found again. */
function marker(ticket: string, key: string): string {
  return `<!-- valuetrain child ${ticket}/${key} -->`
}

async function findChild({ desk }: Job, key: string): Promise<number | undefined> {
  // A forge of another machine finds it by the key, among the issues that are its own.
  if (hostedOf(desk.ports)) return undefined
  const issues = await desk.ports.forge.listIssues()
  return issues.find(({ body }) => body.includes(marker(desk.ticket, key)))?.number
}

async function openChild({ desk }: Job, child: z.infer<typeof Children>['children'][number], parent: number): Promise<number> {
  const issue = await desk.ports.forge.openIssue({
    title: child.title,
    body: `${child.body.trim()}\n\nPart of #${parent}.\n${marker(desk.ticket, child.key)}\n`,
    labels: child.labels,
    key: `${desk.ticket}/${child.key}`,
    parent,
  })
  return issue.number
}
