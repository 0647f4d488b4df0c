import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Runtime, RuntimeEvent, TurnRequest, TurnResult } from '../../core/contracts/runtime.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

export interface Turn {
  result: TurnResult
  events: RuntimeEvent[]
}

/** A repository with a ticket's artifacts folder, and a way to work turns in it. */
export interface Bench {
  repo: TestRepository
  artifacts: string
  work(runtime: Runtime, more?: Partial<TurnRequest>): Promise<Turn>
}

/** Opens a place to work turns in: a real repository that plays the ticket's worktree. */
export async function openBench(files: Record<string, string> = { 'a.txt': 'a\n' }): Promise<Bench> {
  const repo = await makeRepository(files)
  const artifacts = join(repo.dir, '.valuetrain/tickets/build_7/artifacts')
  await mkdir(artifacts, { recursive: true })
  return {
    repo,
    artifacts,
    async work(runtime, more = {}) {
      const events: RuntimeEvent[] = []
      const request: TurnRequest = {
        turn: '01J00000000000000000000001',
        ticket: 'build_7',
        issue: 7,
        labels: ['auto'],
        phase: 'build',
        mode: 'build',
        child: 'dev',
        role: 'studio',
        tools: ['read', 'write', 'run-code', 'run-tests'],
        attempt: 1,
        brief: '# build_7: build\n',
        cwd: repo.dir,
        artifacts,
        recipe: undefined,
        env: { PATH: repo.env.PATH ?? '', HOME: repo.env.HOME ?? '' },
        limits: { launchMs: 20_000, firstOutputMs: 20_000, silenceMs: 20_000, totalMs: 40_000, outputBytes: 10_000 },
        signal: new AbortController().signal,
        ...more,
      }
      return { result: await runtime.turn(request, (event) => events.push(event)), events }
    },
  }
}
