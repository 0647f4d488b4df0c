import { onTestFinished } from 'vitest'
import { listRuntimes, chooseRuntime, selectIssues, briefOf, loadScript } from '../../agents/index.ts'
import type { Ports } from '../../conductor/ports.ts'
import { systemClock } from '../../core/clock.ts'
import { readConfig } from '../../core/config.ts'
import type { PlacedEntry } from '../../core/contracts/event.ts'
import { systemIds } from '../../core/ids.ts'
import { readerAt } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { localForge } from '../../forge/index.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

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
  const { dir, env } = repository
  const opened = await openRepository(dir, env)
  const reader = readerAt(opened.git, 'HEAD')
  const { config } = await readConfig(reader)
  const written: Line['written'] = []
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const clock = overrides.clock ?? systemClock
  const ids = overrides.ids ?? systemIds(clock)
  const ports: Ports = {
    repository: opened,
    forge: localForge({ repository: opened, config, clock, ids }),
    runtimes: listRuntimes({ env, script: await loadScript(reader) }),
    clock,
    ids,
    env,
    signal: stop.signal,
    select: selectIssues,
    choose: chooseRuntime,
    brief: briefOf,
    onEvent: (ticket, entry) => written.push({ ticket, entry }),
    onTurn: () => {},
    onProgress: () => {},
    ...overrides,
  }
  return { ...repository, ports, written, types: (ticket) => written.filter((one) => one.ticket === ticket).map(({ entry }) => entry.type) }
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
  const front = [`number: ${number}`, `title: ${JSON.stringify(title)}`, `labels: [${labels.map((label) => JSON.stringify(label)).join(', ')}]`, 'state: open', `created: 2026-01-0${number}T00:00:00Z`]
  return { [`.valuetrain/issues/${number}-issue.md`]: `---\n${front.join('\n')}\n---\n\nPlease do it.\n` }
}
