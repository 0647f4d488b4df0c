/** What a brief tells besides the ticket itself, with where each part comes from. */
export interface BriefSources {
  /** The repository's own instructions to agents, as they are at the base. */
  instructions: { path: string; text: string }[]
  /** Open risks. */
  risks: { path: string; text: string }[]
  /** What earlier stretches of the issue decided and left, oldest first. */
  earlier: { ticket: string; folder: string; mode: string; decisions: readonly string[]; handOffs: readonly string[] }[]
}
