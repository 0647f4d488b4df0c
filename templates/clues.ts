import type { AskTool } from './registries.ts'

/** The commands a configuration can name. */
export const COMMAND_NAMES = ['lint', 'types', 'build', 'test'] as const
export type CommandName = (typeof COMMAND_NAMES)[number]

/** A command that was found, and where. */
export interface FoundCommand {
  argv: string[]
  /** File and key it comes from, for people. */
  from: string
}

/** What one kind of project file says. */
export interface Clues {
  language?: string
  packageManager?: string
  commands?: Partial<Record<CommandName, FoundCommand>>
  recipes?: Record<string, string[][]>
  workspace?: Workspace
  notes?: string[]
}

export interface Workspace {
  setup: string[][]
  inputs: string[]
  cache: string[]
  /** Registries that set-up fetches from; it runs in a jail without any other network. */
  hosts: string[]
}

/** What a repository's files say about how it is built and checked. */
export interface Detected {
  languages: string[]
  packageManagers: string[]
  commands: Partial<Record<CommandName, FoundCommand>>
  recipes: Record<string, string[][]>
  workspace: Workspace
  /** What was seen and left out on purpose, as sentences for people. */
  notes: string[]
}

/** What git and the operator say about where a repository stands. */
export interface Place {
  branch: string
  remote: string | null
  forge: 'local' | 'github'
}

/** How a detector looks at the root of a repository. */
export interface Look {
  /** Returns the first of the names that is there. */
  has(...names: string[]): string | undefined
  read(name: string): Promise<string | undefined>
  /** Plain names that .gitignore lists. */
  ignored: ReadonlySet<string>
  /** Asks a package manager about its settings; absent where nothing may be run. */
  ask?: AskTool
}
