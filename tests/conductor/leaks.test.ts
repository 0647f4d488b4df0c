import { describe, expect, it } from 'vitest'
import { runIssue } from '../../conductor/run.ts'
import { issueFile, makeLine } from './line.ts'

/** Written in two parts, so that this file holds none. */
const KEY = `ghp_${'16C7e42F292c6912E7710c838347Ae178B4a'}`

const CONFIG = `version: 1
jail: off
commands:
  test: [sh, -c, 'test -s settings.txt']
recipes:
  careless: [[sh, -c, 'if [ -e settings.txt ]; then echo none > settings.txt; else echo token=$LEAK > settings.txt; fi']]
workspace: { env: [LEAK] }
`

describe('a key that an agent leaves in its work', () => {
  it('is in no commit, and the next attempt takes it out', async () => {
    const line = await makeLine({ '.valuetrain/config.yaml': CONFIG, ...issueFile(1, 'Settings', ['auto', 'recipe:careless']) })
    const env = { ...line.ports.env, LEAK: KEY }
    expect(await runIssue({ ...line.ports, env }, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    const struck = line.written.filter(({ entry }) => entry.type === 'DECIDED' && entry.data?.code === 'secret-refused')
    expect(struck.map(({ entry }) => entry.data)).toMatchObject([
      { outcome: 'iterate', reasons: [expect.stringContaining('settings.txt, line 1 (github-token)')] },
    ])
    expect(await line.git.text(['log', '--all', '--oneline', '-S', KEY, '--', 'settings.txt'])).toBe('')
    expect(await line.git.text(['log', '--all', '-p'])).not.toContain(KEY)
    expect(await line.git.text(['show', 'main:settings.txt'])).toBe('none')
  })
})
