import type { Config } from '../../core/config.ts'
import type { ForgeLabel } from '../../core/contracts/forge.ts'
import { ROLES } from '../../core/contracts/patterns.ts'
import type { Client } from './client.ts'

/** Returns the labels that a repository's configuration speaks of, each with what it means. */
export function labelsOf({ labels }: Pick<Config, 'labels'>): ForgeLabel[] {
  const [first, ...others] = labels.priorities
  const wanted: ForgeLabel[] = [
    { name: labels.auto, color: '0e8a16', description: 'Auto-Pilot may work this' },
    { name: labels.task ?? 'task', color: 'c5def5', description: 'One piece of work' },
    { name: labels.story, color: 'bfd4f2', description: 'What a user wants to be able to do' },
    { name: labels.requirement, color: 'd4c5f9', description: 'What the product must become' },
    ...(first === undefined ? [] : [{ name: first, color: 'b60205', description: 'Worked before everything else' }]),
    ...others.map((name) => ({ name, color: 'fbca04', description: `Priority: ${name}` })),
    ...labels.excluded.map((name) => ({ name, color: 'e4e669', description: MEANINGS[name] ?? 'No work for Auto-Pilot' })),
    ...ROLES.map((role) => ({ name: `role:${role}`, color: 'ededed', description: `Work for the role ${role}` })),
  ]
  return wanted.filter(({ name }, at) => wanted.findIndex((other) => sameName(other.name, name)) === at)
}

const MEANINGS: Readonly<Record<string, string>> = {
  blocked: 'Cannot go on until somebody acts',
  risk: 'Something that may go wrong; no work by itself',
  mitigation: 'What is to be done about a risk',
  meta: 'About other issues; no work by itself',
}

/** Returns which of these labels a repository has not got. Names differ by more than case. */
export async function missingLabels(client: Client, wanted: readonly ForgeLabel[]): Promise<ForgeLabel[]> {
  const there = await client.list<{ name: string }>('GET /repos/{owner}/{repo}/labels', {})
  return wanted.filter(({ name }) => !there.some((label) => sameName(label.name, name)))
}

/** Makes labels. One that somebody has made meanwhile is left as it is. */
export async function makeLabels(client: Client, labels: readonly ForgeLabel[]): Promise<void> {
  for (const label of labels) {
    await client.once(
      async () => ((await missingLabels(client, [label]))[0] === undefined ? label : undefined),
      (post) => post('POST /repos/{owner}/{repo}/labels', { ...label }),
    )
  }
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
