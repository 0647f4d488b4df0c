import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { issueFile } from '../conductor/line.ts'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

/** Two arms: one mends what the test asks for, one makes it worse. */
const config = (router: string) => `version: 1
commands:
  test: [sh, -c, 'test "$(cat value.txt)" = right']
recipes:
  mend: [[sh, -c, 'printf right > value.txt']]
  break: [[sh, -c, 'printf wrong-$$ > value.txt']]
${router}
`
const ROUTER = 'router: { stage: on, arms: ["recipe:mend", "recipe:break"] }'

async function repositoryWith(router: string, number: number, labels: readonly string[]) {
  const files = { 'value.txt': 'wrong', '.valuetrain/config.yaml': config(router), ...issueFile(number, 'Mend it', labels) }
  const repository = await makeRepository(files)
  return { ...repository, terminal: openTerminal({ ...repository, clock: systemClock, ids: systemIds(systemClock) }) }
}

describe('a routed ticket', () => {
  // Choices are drawn by ticket, phase and attempt; that of ticket build_4 is the arm that breaks.
  it('has its choice in the log before its brief, goes to another arm after a refusal, and is explained', async () => {
    const { terminal, git, dir, commit } = await repositoryWith(ROUTER, 4, ['auto', 'bug'])
    expect((await terminal.run('run', '4', '--plan')).stdout).toContain(
      'whom the router chooses among recipe:mend, recipe:break (on)',
    )
    expect((await terminal.run('run', '4', '--merge', 'auto')).code).toBe(0)
    const [first, second, ...more] = JSON.parse((await terminal.run('agents', 'why', '4', '--json')).stdout)
    expect(more).toEqual([])
    const chances = (one: { arms: unknown }) => one.arms
    expect(chances(first)).toEqual([
      { id: 'recipe:mend', propensity: 0.5 },
      { id: 'recipe:break', propensity: 0.5 },
    ])
    expect(first).toMatchObject({ chosen: 'recipe:break', policy: 'router@untrained', phase: 'build', attempt: 1 })
    expect(first.features).toMatchObject({ bias: 1, 'label:bug': 1, 'mode:build': 1 })
    expect(chances(second)).toEqual([{ id: 'recipe:mend', propensity: 1 }])
    expect(second).toMatchObject({
      chosen: 'recipe:mend',
      attempt: 2,
      features: { retry: 0.25 },
      outcomes: { gates: { value: 1 }, delivered: { value: 1 }, merged: { value: 1 }, minutes: { value: expect.any(Number) } },
    })
    const { stdout } = await terminal.run('agents', 'why', '4')
    expect(stdout).toContain('recipe:break: had a chance of 50 %, drawn by router@untrained (on) for attempt 1 at build')
    expect(stdout).toContain('outcome: gates 1, delivered 1, merged 1')
    const lines = ['grep', '-h', '-e', '"type":"ROUTED"', '-e', '"type":"BRIEFED"', 'main', '--', '.valuetrain/tickets/build_4']
    const types = (await git.text(lines)).split('\n').map((line) => /"type":"(\w+)"/.exec(line)?.[1])
    expect(types).toEqual(['ROUTED', 'BRIEFED', 'ROUTED', 'BRIEFED'])

    // Who reverts a merge takes the ticket's folder with it, not what came of the choice.
    await git.run(['revert', '--no-edit', '--mainline', '1', 'HEAD'])
    const outcomes = async () => JSON.parse((await terminal.run('agents', 'why', '4', '--json')).stdout).at(-1).outcomes
    expect(await outcomes()).toMatchObject({ merged: { value: 1 }, reverted: { value: 1 } })
    await git.run(['revert', '--no-edit', 'HEAD'])
    expect(await outcomes()).toEqual({ ...(await outcomes()), merged: expect.anything(), reverted: undefined })

    // Chances that somebody has changed are no longer those of the moment of choice.
    const learn = 'name: router\nalgorithm: thompson\nenvironment: { decisions: {} }\n'
    const [name = ''] = await readdir(join(dir, '.valuetrain/tickets/build_4')).then((all) =>
      all.filter((file) => file.startsWith('session-')),
    )
    const session = join('.valuetrain/tickets/build_4', name)
    const text = await readFile(join(dir, session), 'utf8')
    await commit({ 'train.yaml': learn, [session]: text.replaceAll('"propensity":0.5', '"propensity":0.25') }, 'Alter the log')
    const refused = expect.stringContaining('the session of build_4 is not what was written')
    expect(await terminal.run('train', 'train.yaml', '--plan')).toMatchObject({ code: 3, stderr: refused })
    const uneven = expect.stringContaining('propensities sum to 0.5, not to 1')
    expect(await terminal.run('agents', 'why', '4')).toMatchObject({ code: 2, stderr: uneven })
  }, 180_000)

  it('is left alone where a label or the command line names somebody', async () => {
    const { terminal } = await repositoryWith(ROUTER, 1, ['auto', 'recipe:mend'])
    expect((await terminal.run('run', '1', '--plan')).stdout).toMatch(/worked by +recipe\n/)
    expect((await terminal.run('agents', 'why', '1')).stderr).toContain('there is no ticket "1"')
  }, 30_000)

  it('is refused where the configuration gives the router nothing to choose from', async () => {
    const { terminal } = await repositoryWith('router: { stage: on }', 1, ['auto'])
    const { code, stderr } = await terminal.run('run', '1')
    expect(code).toBe(2)
    expect(stderr).toContain('router.arms: is empty, and stage on has nothing to choose from')
  })
})
