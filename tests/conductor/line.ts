import { onTestFinished } from 'vitest'
import type { Ports } from '../../conductor/ports.ts'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { portsFor } from './ports.ts'

export interface Line extends TestRepository {
  ports: Ports
  /** Every entry that was written, with its ticket, in order. */
  written: { ticket: string; entry: PlacedEntry }[]
  /** Types of the entries of one ticket, in order. */
  types(ticket: string): string[]
}

/** Returns a real repository with a committed configuration, and the conductor's ports joined to it as `bin/` does. */
export async function makeLine(files: Record<string, string>, overrides: Partial<Ports> = {}): Promise<Line> {
  const repository = await makeRepository(files)
  return joinLine(repository, overrides)
}

/** Joins ports to a repository that is there. */
export async function joinLine(repository: TestRepository, overrides: Partial<Ports> = {}): Promise<Line> {
  const written: Line['written'] = []
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const ports = await portsFor(repository.dir, repository.env, {
    signal: stop.signal,
    onEvent: (ticket, entry) => written.push({ ticket, entry }),
    ...overrides,
  })
  return {
    ...repository,
    ports,
    written,
    types: (ticket) => written.filter((one) => one.ticket === ticket).map(({ entry }) => entry.type),
  }
}

/** A configuration with a recipe that mends, one that changes nothing and one that breaks the test. */
export const CONFIG = `version: 1
commands:
  test: [sh, -c, 'test "$(cat value.txt)" = right']
recipes:
  mend: [[sh, -c, 'printf right > value.txt']]
  idle: [['true']]
  break: [[sh, -c, 'printf wrong-$$ > value.txt']]
  note: [[sh, -c, 'echo note >> notes.txt']]
`

/** Returns an issue file as a person writes it. */
export function issueFile(number: number, title: string, labels: readonly string[]): Record<string, string> {
  const front = [
    `number: ${number}`,
    `title: ${JSON.stringify(title)}`,
    `labels: [${labels.map((label) => JSON.stringify(label)).join(', ')}]`,
    'state: open',
    `created: 2026-01-0${number}T00:00:00Z`,
  ]
  return { [`.valuetrain/issues/${number}-issue.md`]: `---\n${front.join('\n')}\n---\n\nPlease do it.\n` }
}
