import { describe, expect, it } from 'vitest'
import { HookRecord } from '../../core/contracts/hook.ts'
import { readHookRecords } from '../../core/hook-inbox.ts'
import { git, makeHooked } from './hooked.ts'

describe('records of hooks', () => {
  it('are of the shape that the conductor folds', async () => {
    const repository = await makeHooked()
    await git(repository, repository.dir, ['commit', '-qn', '--allow-empty', '-m', 'Round them'])
    const [file] = await readHookRecords(`${repository.dir}/.git`)
    const head = (await git(repository, repository.dir, ['rev-parse', 'HEAD'])).stdout.trim()
    expect(HookRecord.parse(file?.record)).toEqual({
      v: 1,
      hook: 'post-commit',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      finding: {
        rule: 'ungated-commit',
        severity: 'notice',
        message: `commit ${head.slice(0, 10)} was made without its checks (--no-verify)`,
        commit: head,
      },
    })
  })
})
