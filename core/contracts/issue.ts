import * as z from 'zod'
import { IssueNumber } from './names.ts'

/** An issue as every forge shows it. */
export const Issue = z.strictObject({
  number: IssueNumber,
  title: z.string(),
  body: z.string(),
  labels: z.array(z.string()),
  assignees: z.array(z.string()),
  state: z.enum(['open', 'closed']),
  /** ISO 8601, UTC. */
  createdAt: z.string(),
  /** Issues that must be closed first. */
  blockedBy: z.array(IssueNumber).default([]),
  /** The issue this one is a part of. */
  parent: IssueNumber.optional(),
  /** Why it may not be worked though its labels say so, e.g. a label set by somebody without write access. */
  hold: z.string().optional(),
  /** Where a person reads it: a repository path or a URL. */
  location: z.string(),
})
export type Issue = z.infer<typeof Issue>

export interface IssueDraft {
  title: string
  body: string
  labels?: readonly string[]
  assignees?: readonly string[]
  blockedBy?: readonly number[]
  parent?: number
  /** Says what it is opened for: opening it again with the same key finds the same issue. Where a forge can do that. */
  key?: string
}
