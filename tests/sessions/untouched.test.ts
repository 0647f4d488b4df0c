import { execFile } from 'node:child_process'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { openGit } from '../../core/git.ts'
import { systemIds } from '../../core/ids.ts'
import { readerAt, readerOf } from '../../core/reader.ts'
import { anchorTrailer, collectAnchors, loadSession, openSegment, verifySession } from '../../sessions/index.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { CONDUCTOR, headerOf } from './written.ts'

const LIVE = process.env.VALUETRAIN_LIVE === '1'

/** Returns a repository with an anchored session of two segments, written as the conductor writes one. */
async function withSession(): Promise<TestRepository> {
  const repository = await makeRepository()
  const ids = systemIds(systemClock)
  const session = ids.ulid()
  const folder = join(repository.dir, ticketFolder('build_42'))
  let parents: { segment: string; head: string }[] = []
  for (const epoch of [1, 2]) {
    const header = headerOf({ session, segment: ids.ulid(), parents, epoch })
    const writer = await openSegment({ folder, header, clock: systemClock, ids, redactRoots: [repository.dir] })
    for (const text of ['plain', 'a longer line '.repeat(20), '* a list\n* of two', '| a | table |\n|---|---|', '```\ncode\n```'])
      await writer.append('COMMENTED', { actor: CONDUCTOR, text })
    await writer.close('done')
    parents = [{ segment: header.segment, head: writer.head }]
    await repository.commit({}, `Record\n\nValuetrain-Ticket: build_42\n${anchorTrailer(header.segment, writer.head)}`)
  }
  return repository
}

const SOUND = { integrity: 'intact', completeness: 'complete', anchoring: 'anchored' }

/** What the working tree of a folder, and what its HEAD holds, says of the session. */
async function saidIn(dir: string, env: NodeJS.ProcessEnv) {
  const git = openGit(dir, env)
  const anchors = await collectAnchors(git, ['HEAD'])
  const of = async (reader: Parameters<typeof loadSession>[0]) => {
    const { segments, findings } = await loadSession(reader, 'build_42')
    const replay = () => ({ refused: [] })
    const { integrity, completeness, anchoring } = verifySession({ ticket: 'build_42', segments, findings, anchors, replay })
    return { integrity, completeness, anchoring }
  }
  return [await of(readerOf(dir)), await of(readerAt(git, 'HEAD'))]
}

describe('a session that nobody tampered with verifies', () => {
  it('after a checkout with line ends of Windows, and when those are committed', async () => {
    const { dir, env, git } = await withSession()
    await git.run(['config', 'core.autocrlf', 'true'])
    await rm(join(dir, ticketFolder('build_42')), { recursive: true })
    await git.run(['checkout', '--', '.'])
    const [name = ''] = await readdir(join(dir, ticketFolder('build_42')))
    expect(await readFile(join(dir, ticketFolder('build_42'), name), 'utf8')).toContain('\r\n')
    expect(await saidIn(dir, env)).toEqual([SOUND, SOUND])
    await git.run(['config', 'core.autocrlf', 'false'])
    await git.run(['commit', '-q', '-a', '-m', 'Line ends of Windows'])
    expect(await git.text(['show', `HEAD:${ticketFolder('build_42')}/${name}`])).toContain('\r\n')
    expect(await saidIn(dir, env)).toEqual([SOUND, SOUND])
  })

  it('in a clone, in a shallow one as far as its heads reach, and after gc and a repack', async () => {
    const { dir, env, git, outside } = await withSession()
    const clone = join(outside, 'clone')
    await git.run(['clone', '-q', '--no-local', dir, clone])
    expect(await saidIn(clone, env)).toEqual([SOUND, SOUND])
    await git.run(['clone', '-q', '--depth=1', `file://${dir}`, join(outside, 'shallow')])
    expect(await saidIn(join(outside, 'shallow'), env)).toEqual([SOUND, SOUND])
    await git.run(['gc', '-q', '--prune=now', '--aggressive'])
    await git.run(['repack', '-q', '-a', '-d', '-F'])
    expect(await saidIn(dir, env)).toEqual([SOUND, SOUND])
  })

  it.runIf(LIVE)(
    'after a real formatter of Markdown has gone over it, in each of its ways',
    async () => {
      const { dir, env, outside } = await withSession()
      const install = [
        'install',
        '--prefix',
        outside,
        '--no-save',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        'prettier@3.6.2',
      ]
      await promisify(execFile)('npm', install)
      for (const wrap of ['preserve', 'always', 'never']) {
        const format = [
          join(outside, 'node_modules/prettier/bin/prettier.cjs'),
          '--write',
          '--prose-wrap',
          wrap,
          ticketFolder('build_42'),
        ]
        const before = await contentsOf(dir)
        await promisify(execFile)(process.execPath, format, { cwd: dir })
        if (wrap === 'always') expect(await contentsOf(dir)).not.toEqual(before)
        expect([wrap, ...(await saidIn(dir, env))]).toEqual([wrap, SOUND, SOUND])
      }
    },
    240_000,
  )
})

async function contentsOf(dir: string): Promise<string[]> {
  const folder = join(dir, ticketFolder('build_42'))
  return Promise.all((await readdir(folder)).sort().map((name) => readFile(join(folder, name), 'utf8')))
}
