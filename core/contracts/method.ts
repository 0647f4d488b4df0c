import * as z from 'zod'
import { Argv, MetricRule } from './gate.ts'
import { Child, Mode, Role, Slug } from './names.ts'

/** How an item is shown to be true. `gate` binds it to a registered gate; the others compile to one of their own. */
export const Evidence = z.discriminatedUnion('kind', [
  /** A repository path; `{artifacts}` stands for the ticket's artifacts folder. */
  z.strictObject({
    kind: z.literal('file'),
    path: z.string(),
    template: z.string().optional(),
    minContent: z.int().min(0).default(20),
  }),
  z.strictObject({
    kind: z.literal('command'),
    command: z.enum(['lint', 'types', 'build', 'test']).optional(),
    argv: Argv.optional(),
  }),
  z.strictObject({ kind: z.literal('metric'), file: z.string(), path: z.string(), rule: MetricRule }),
  z.strictObject({
    kind: z.literal('approval'),
    roles: z.array(Role).default([]),
    quorum: z.int().min(1).default(1),
    question: z.string(),
  }),
  z.strictObject({ kind: z.literal('link'), to: z.enum(['issue', 'change', 'commit', 'children']) }),
  z.strictObject({ kind: z.literal('gate'), gate: Slug }),
])
export type Evidence = z.infer<typeof Evidence>

export const Item = z.strictObject({
  id: Slug,
  text: z.string().min(1),
  required: z.boolean().default(true),
  evidence: Evidence,
})
export type Item = z.infer<typeof Item>

export const Deliverable = z.strictObject({
  id: Slug,
  title: z.string(),
  /** File name in the ticket's artifacts folder. */
  file: z.string(),
  /** File in templates/deliverables. */
  template: z.string(),
  required: z.boolean().default(true),
})
export type Deliverable = z.infer<typeof Deliverable>

export const ModeSpec = z.strictObject({
  schema: z.literal(1),
  id: Mode,
  title: z.string(),
  purpose: z.string(),
  roles: z.array(Role).min(1),
  /** Tools beyond read, write, git and forge. */
  tools: z.array(z.enum(['web-fetch', 'run-code', 'run-tests'])).default([]),
  children: z.array(Child).default([]),
  entry: z.array(Item).default([]),
  checklist: z.array(Item).min(1),
  deliverables: z.array(Deliverable).default([]),
  exit: z.array(Item).default([]),
  /** Gates every phase of this mode asks unless its pipeline says otherwise. */
  gates: z.array(Slug).default([]),
  transitions: z.strictObject({
    forward: z.array(Mode).default([]),
    back: z.array(Mode).default([]),
    /** Why staying is allowed; holds are self-transitions. */
    hold: z.string(),
  }),
})
/** A mode; `body` is the Markdown below the front matter, the working instructions for its roles. */
export type ModeSpec = z.infer<typeof ModeSpec> & { body: string }

export const RoleSpec = z.strictObject({
  schema: z.literal(1),
  id: Role,
  title: z.string(),
  purpose: z.string(),
  modes: z.array(Mode),
  tools: z.array(z.enum(['read', 'write', 'git', 'forge', 'web-fetch', 'run-code', 'run-tests'])),
  assets: z
    .strictObject({
      skills: z.array(z.string()).default([]),
      tools: z.array(z.string()).default([]),
      mcp: z.array(z.string()).default([]),
      agents: z.array(z.string()).default([]),
    })
    .default({ skills: [], tools: [], mcp: [], agents: [] }),
})
export type RoleSpec = z.infer<typeof RoleSpec> & { body: string }

export const PhaseSpec = z.strictObject({
  name: Slug,
  mode: Mode,
  child: Child.optional(),
  /** Owner; the mode's first role unless told. */
  role: Role.optional(),
  /** Whether a role works here; false where the conductor only judges and renders. */
  works: z.boolean().default(true),
  /** File names in the ticket's artifacts folder; the mode's deliverables unless told. */
  artifacts: z.array(z.string()).optional(),
  /** Ids of the mode's items that this phase asks; all of them unless told. */
  items: z.array(Slug).optional(),
  /** Gates this phase asks; the mode's unless told. The guard-rails are always asked. */
  gates: z.array(Slug).optional(),
  /** Next phase; the one below unless told, `null` ends the pipeline. */
  next: Slug.nullable().optional(),
  /** Whether it ships together with the phase before it, in one stretch. */
  joined: z.boolean().default(false),
  /** Whether it opens child tickets (from `children.yaml` in the artifacts) and waits for them. */
  children: z.boolean().default(false),
})
export type PhaseSpec = z.infer<typeof PhaseSpec>

export const PipelineSpec = z.strictObject({
  schema: z.literal(1),
  id: Slug,
  title: z.string(),
  purpose: z.string(),
  phases: z.array(PhaseSpec).min(1),
})
export type PipelineSpec = z.infer<typeof PipelineSpec>

/** Everything the methodology says for one repository, as it is at one revision: built-in, then overridden. */
export interface Method {
  modes: ReadonlyMap<z.infer<typeof Mode>, ModeSpec>
  roles: ReadonlyMap<z.infer<typeof Role>, RoleSpec>
  pipelines: ReadonlyMap<string, PipelineSpec>
  /** Deliverable templates by file name. */
  templates: ReadonlyMap<string, string>
  /** Files of the repository that override a built-in one. */
  overrides: readonly string[]
}

/** Reads files of one revision, or of a folder, by repository path with forward slashes. */
export interface FileReader {
  /** What it reads, for messages: a commit or a folder. */
  readonly source: string
  /** Returns the text, or undefined when there is no such file. */
  read(path: string): Promise<string | undefined>
  /** Returns the names of the files directly in a folder, sorted; empty when there is none. */
  list(folder: string): Promise<string[]>
}
