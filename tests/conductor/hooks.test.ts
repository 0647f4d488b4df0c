import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runIssue } from '../../conductor/run.ts'
import { dropHookRecord, readHookRecords } from '../../core/hook-inbox.ts'
import { install } from '../hooks/hooked.ts'
import { CONFIG, issueFile, makeLine } from './line.ts'

const FILES = { 'value.txt': 'wrong', '.valuetrain/config.yaml': CONFIG, ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']) }

describe('a run in a clone with hooks', () => {
  it('goes through them and leaves nothing to report', async () => {
    const line = await makeLine(FILES)
    await install(line)
    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    expect(line.types('build_1')).not.toContain('FOUND')
    expect(await readHookRecords(join(line.dir, '.git'))).toEqual([])
  })

  it('writes what hooks noticed in its worktree into the session, and takes the record away', async () => {
    const gitDir = (dir: string) => join(dir, '.git/worktrees/build_1')
    const finding = { rule: 'ungated-commit', severity: 'error' as const, message: 'commit was made without its checks' }
    let dropped: Promise<void> | undefined
    const line = await makeLine(FILES)
    const written: unknown[] = []
    const left: unknown[] = []
    line.ports.onEvent = (_, entry) => {
      if (entry.type === 'FOUND') written.push(entry.data)
      if (entry.type === 'WORK_COMMITTED') readHookRecords(gitDir(line.dir)).then((files) => left.push(...files))
      if (entry.type !== 'TURN_STARTED') return
      dropped = dropHookRecord(gitDir(line.dir), '01J00000000000000000000001', { v: 1, hook: 'post-commit', at: '2026', finding })
    }
    await runIssue(line.ports, { issue: 1, merge: 'auto' })
    await dropped
    expect(written).toEqual([{ actor: { kind: 'agent', role: 'conductor' }, finding }])
    expect(left).toEqual([])
  })
})
