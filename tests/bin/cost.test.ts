import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { defaultConfig } from '../../core/config.ts'
import { systemIds } from '../../core/ids.ts'
import { openSegment } from '../../sessions/index.ts'
import { CONDUCTOR, eventsOfEveryType, headerOf } from '../sessions/written.ts'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

describe('valuetrain cost report', () => {
  it('adds up the calls in the sessions, and prints them for people, programs and FinOps tools', async () => {
    const repository = await makeRepository({ 'a.txt': 'a' })
    const terminal = openTerminal({ dir: repository.dir, env: repository.env })
    expect(await terminal.run('cost', 'report')).toMatchObject({ code: 0, stdout: 'no calls of models yet\n' })
    const ids = systemIds(systemClock)
    const events = eventsOfEveryType(ids)
    const opened = events.find(({ type }) => type === 'TICKET_OPENED')
    const called = events.find(({ type }) => type === 'MODEL_CALLED')
    const writer = await openSegment({
      folder: `${repository.dir}/.valuetrain/tickets/build_42`,
      header: headerOf({ ids }),
      clock: systemClock,
      ids,
      redactRoots: [],
    })
    for (const event of [opened, called, called]) {
      await writer.append(event?.type as 'MODEL_CALLED', { ...event?.data, actor: CONDUCTOR } as never)
    }
    const data = called?.data as { model: string }
    await writer.append('MODEL_CALLED', { ...data, model: 'unpriced', costUsd: null, actor: CONDUCTOR } as never)
    const turn = events.find(({ type }) => type === 'TURN_STARTED')?.data as { turn: string }
    await writer.append('TURN_STARTED', { ...turn, runtime: 'claude', actor: CONDUCTOR } as never)
    const usage = { tokensIn: 900, tokensOut: 40, costUsd: 0 }
    const ended = { turn: turn.turn, outcome: 'completed', reason: 'done', usage, quota: true, actor: CONDUCTOR }
    await writer.append('TURN_ENDED', ended as never)
    await writer.close('done')
    await repository.git.run(['add', '--all'])
    await repository.git.run(['commit', '--quiet', '--message', 'A session'])
    expect((await terminal.run('cost', 'report', '--by', 'model')).stdout).toMatchInlineSnapshot(`
      "model                 cost              calls  in   from cache  out
      anthropic/claude \`x\`  $0.00025          2      234  200         10
      anthropic/unpriced    unknown           1      117  100         5    1 call of unknown cost
      total                 $0.00025 or more  3      351  300         15   1 call of unknown cost
      by login: claude, 1 turn, 900 tokens in, 40 out by its own count; quota and no money
      "
    `)
    const json = JSON.parse((await terminal.run('cost', 'report', '--by', 'role', '--json')).stdout)
    expect(json).toMatchObject({
      by: 'role',
      since: null,
      groups: [{ key: 'studio', calls: 3, unknown: 1 }],
      total: { costUsd: 0.00025 },
    })
    const focus = await terminal.run('cost', 'report', '--focus')
    expect(focus.stdout.trim().split('\n')).toHaveLength(3)
    expect(focus.stderr).toBe('1 call of unknown cost left out\n')
    expect((await terminal.run('cost', 'report', '--by', 'phase')).code).toBe(2)
  })

  it('knows budgets, and where models are, from the configuration', () => {
    expect(defaultConfig().budgets).toEqual({ run: null, ticket: null, day: null, project: null })
    expect(defaultConfig().models.anthropic).toEqual({ url: 'https://api.anthropic.com', key: 'ANTHROPIC_API_KEY', prices: null })
  })
})
