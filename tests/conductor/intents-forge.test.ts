import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { openTerminal } from '../bin/terminal.ts'
import { cloneStand } from '../support/github/clone.ts'
import { openStand } from '../support/github/index.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined

const STATEMENTS = [
  { kind: 'comment', issue: 1, text: 'I have found where it is wrong.' },
  { kind: 'comment', issue: 1, text: 'My key is ghp_' + '16C7e42F292c6912E7710c838347Ae178B4a' },
  { kind: 'label', issue: 1, add: ['looked-at'] },
  { kind: 'push', branch: 'phase/build_1' },
  { kind: 'open-pull-request', branch: 'phase/build_1', title: 'Mend the value', body: 'It was wrong.' },
]

describe('what an agent asks for on a forge', () => {
  it.runIf(FULL)('is said, labelled, pushed and proposed by us, once, with no key in it', async () => {
    const script = STATEMENTS.map((one) => `intend '${JSON.stringify(one)}'`).join('; ')
    const config = {
      ...{ version: 1, forge: 'github', remote: 'origin', github: { writeEveryMs: 0 } },
      agents: { talker: { command: ['sh', '-c', `printf right > value.txt; ${script}`] } },
      commands: { test: ['sh', '-c', 'test "$(cat value.txt)" = right'] },
    }
    const stand = await openStand()
    onTestFinished(() => stand.close())
    const at = await stand.repository('talk', { 'value.txt': 'wrong', '.valuetrain/config.yaml': JSON.stringify(config) })
    const owner = stand.as('owner')
    await owner('POST', `/repos/${at.fullName}/issues`, { title: 'Mend it', body: 'Please', labels: ['auto', 'agent:talker'] })
    const clone = await cloneStand(stand, at)
    const env = { ...clone.env, VALUETRAIN_GITHUB_TOKEN: stand.token('pilot') }
    const terminal = openTerminal({ dir: clone.dir, env, clock: systemClock, ids: systemIds(systemClock) })
    const { stdout, code } = await terminal.run('run', '1')
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining('waits for a person to merge it') })
    const said: string[] = (await owner('GET', `/repos/${at.fullName}/issues/1/comments`)).map(
      ({ body }: { body: string }) => body,
    )
    expect(said.filter((body) => body.startsWith('I have found where it is wrong.'))).toHaveLength(1)
    expect(said.join()).not.toContain('16C7e42F')
    const issue = await owner('GET', `/repos/${at.fullName}/issues/1`)
    expect(issue.labels.map(({ name }: { name: string }) => name)).toContain('looked-at')
    const pulls = await owner('GET', `/repos/${at.fullName}/pulls?state=all`)
    expect(pulls.map(({ head }: { head: { ref: string } }) => head.ref)).toEqual(['phase/build_1'])
    expect(stand.violations()).toEqual([])
  })
})
