import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { foldTicket } from '../../conductor/state.ts'
import { readerAt } from '../../core/reader.ts'
import { loadSession } from '../../sessions/index.ts'
import { issueFile, makeLine } from './line.ts'

const CONFIG = `version: 1
commands:
  test: [sh, -c, 'echo "running in $PWD as $HOME"; test ! -e broken.txt']
recipes:
  loud: [[sh, -c, 'echo "$PWD $HOME $(hostname) pid 48213"; echo done > loud.txt']]
  broken: [[sh, -c, 'echo "in $PWD" >&2; echo x > broken.txt']]
`

describe('what a run leaves in git', () => {
  it('holds no absolute path, home, host or user name, whatever agents and gates print', async () => {
    const line = await makeLine(
      {
        'README.md': 'x\n',
        '.valuetrain/config.yaml': CONFIG,
        ...issueFile(1, 'Loud', ['auto', 'recipe:loud']),
        ...issueFile(2, 'Broken', ['auto', 'recipe:broken']),
      },
      {},
    )
    const { issues } = await drive(line.ports, { once: true, merge: 'auto' })
    expect(issues.map(({ outcome, reasons }) => [outcome, outcome === 'done' ? '' : reasons.join()])).toEqual([
      ['done', ''],
      ['blocked', expect.stringContaining('test: fail')],
    ])
    // Everything git holds: commits with their messages, trees with their names, files, refs.
    const objects = (await line.git.bytes(['cat-file', '--batch', '--batch-all-objects', '--unordered'])).toString('latin1')
    const refs = await line.git.text(['for-each-ref', '--format=%(refname) %(contents)'])
    expect(objects).toContain('DELIVERED')
    // A host of two letters would be found in any binary tree.
    const hosts = hostname().length > 3 ? [hostname()] : []
    const private_ = [line.dir, line.outside, String(line.env.HOME), `pid ${process.pid}`, ...hosts]
    expect(private_.filter((word) => objects.includes(word) || refs.includes(word))).toEqual([])
    expect(objects).toContain('pid <pid>')
  })

  it('is enough: a plain clone folds every merged ticket to the same state', async () => {
    const line = await makeLine({
      'README.md': 'x\n',
      '.valuetrain/config.yaml': CONFIG,
      ...issueFile(1, 'Loud', ['auto', 'recipe:loud']),
    })
    await drive(line.ports, { once: true, merge: 'auto' })
    await line.git.run(['clone', '--quiet', line.dir, `${line.outside}/clone`])
    const here = await loadSession(readerAt(line.git, 'main'), 'build_1')
    const there = await loadSession(readerAt(line.git.at(`${line.outside}/clone`), 'HEAD'), 'build_1')
    expect(foldTicket('build_1', there.entries)).toEqual(foldTicket('build_1', here.entries))
    expect(foldTicket('build_1', there.entries)).toMatchObject({ status: 'delivered', refused: [] })
  })
})
