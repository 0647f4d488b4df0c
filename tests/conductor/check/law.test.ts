import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runIssue } from '../../../conductor/run.ts'
import { systemClock } from '../../../core/clock.ts'
import { type Git, openGit } from '../../../core/git.ts'
import { systemIds } from '../../../core/ids.ts'
import { parseSegment, renderSegment, type Segment, sealEntry } from '../../../sessions/index.ts'
import { openTerminal, type Ran } from '../../bin/terminal.ts'
import { makeRepository, type TestRepository } from '../../support/repository.ts'
import { CONFIG, issueFile, joinLine } from '../line.ts'

interface Found {
  rule: string
  severity: string
  commit: string | null
  path: string | null
  message: string
}

interface Place {
  dir: string
  git: Git
  write(files: Record<string, string>): Promise<void>
  /** Commits everything as it lies there, no hook asked. */
  commit(message?: string, ...trailers: string[]): Promise<string>
  check(
    ...flags: string[]
  ): Promise<Ran & { ok: boolean; found: Found[]; rules: string[]; gates: Record<string, string>; notes: string[] }>
}

/** Returns a repository in which the conductor has worked issue 1 up to its delivery on `phase/build_1`. */
async function deliveredTicket(files: Record<string, string> = {}) {
  const repository = await makeRepository({
    '.valuetrain/config.yaml': CONFIG,
    'value.txt': 'wrong',
    ...issueFile(1, 'Mend it', ['auto', 'recipe:mend']),
    ...files,
  })
  const line = await joinLine(repository)
  expect(await runIssue(line.ports, { issue: 1 })).toMatchObject({ outcome: 'waiting' })
  return { repository, line }
}

let clones = 0

/** Returns a clone with a branch checked out, as continuous integration or a stranger has one. */
async function cloneOf(repository: TestRepository, branch: string, env: NodeJS.ProcessEnv = {}): Promise<Place> {
  const dir = join(repository.outside, `clone-${++clones}`)
  await repository.git.run(['clone', '-q', '--branch', 'main', repository.dir, dir])
  const git = openGit(dir, repository.env)
  await git.run(['switch', '-q', branch])
  return placeAt(dir, git, { ...repository.env, ...env })
}

function placeAt(dir: string, git: Git, env: NodeJS.ProcessEnv): Place {
  const terminal = openTerminal({ dir, env, clock: systemClock, ids: systemIds(systemClock) })
  return {
    dir,
    git,
    async write(files) {
      for (const [path, content] of Object.entries(files)) await writeFile(join(dir, path), content)
    },
    async commit(message = 'By hand', ...trailers) {
      await git.run(['add', '--all'])
      await git.run([
        'commit',
        '-q',
        '--allow-empty',
        '-m',
        [message, ...(trailers.length > 0 ? [trailers.join('\n')] : [])].join('\n\n'),
      ])
      return git.text(['rev-parse', 'HEAD'])
    },
    async check(...flags) {
      const ran = await terminal.run('check', '--base', 'main', '--json', ...flags)
      if (ran.stdout === '') throw new Error(ran.stderr)
      const { ok, findings, gates, notes } = JSON.parse(ran.stdout)
      const rules = [
        ...new Set((findings as Found[]).filter(({ severity }) => severity === 'error').map(({ rule }) => rule)),
      ].sort()
      const verdicts = Object.fromEntries(
        (gates as { gate: string; verdict: string }[]).map(({ gate, verdict }) => [gate, verdict]),
      )
      return { ...ran, ok, found: findings, rules, gates: verdicts, notes }
    },
  }
}

const FOLDER = '.valuetrain/tickets/build_1'

async function editSession(place: Place, edit: (segment: Segment) => Segment | string): Promise<void> {
  const folder = join(place.dir, FOLDER)
  const name = (await readdir(folder)).find((file) => file.startsWith('session-')) as string
  const file = join(folder, name)
  const edited = edit(parseSegment(await readFile(file, 'utf8'), name))
  await writeFile(file, typeof edited === 'string' ? edited : renderSegment(edited))
}

/** Seals entries anew from the first one on, as somebody does who can write the file and knows the format. */
function resealed(segment: Segment, change: (entry: Segment['entries'][number]) => Segment['entries'][number]): Segment {
  const entries: Segment['entries'] = []
  for (const old of segment.entries) {
    const entry = change(old)
    const prev = entries.at(-1)?.hash ?? segment.entries[0]?.prev ?? ''
    entries.push(sealEntry({ prev, seq: entry.seq, id: entry.id, ts: entry.ts, type: entry.type, data: entry.data as never }))
  }
  const { closing: _, ...open } = segment
  return { ...open, entries } as Segment
}

const TICKET = 'Valuetrain-Ticket: build_1'

describe('a delivered ticket', () => {
  it('passes with nothing found, and says the same in a worktree, in a clone and in continuous integration', async () => {
    const { repository } = await deliveredTicket()
    const here = placeAt(repository.dir, repository.git, repository.env)
    const worktree = join(`${repository.dir}.worktrees`, 'build_1')
    const places = [
      await here.check('--head', 'phase/build_1'),
      await placeAt(worktree, repository.git.at(worktree), repository.env).check(),
      await (await cloneOf(repository, 'phase/build_1')).check(),
      await (await cloneOf(repository, 'main', { CI: 'true' })).check('--head', 'origin/phase/build_1', '--reuse'),
    ]
    const detached = await cloneOf(repository, 'phase/build_1', { CI: 'true' })
    await detached.git.run(['switch', '-q', '--detach'])
    await detached.git.run(['branch', '-q', '-D', 'phase/build_1'])
    places.push(await detached.check())
    const [first, ...others] = places.map(({ stdout, code }) => ({ code, ...JSON.parse(stdout), notes: [] }))
    expect(first).toMatchObject({ code: 0, ok: true, findings: [], merge: 'same', waivers: [] })
    expect(Object.keys(places[0]?.gates ?? {})).toEqual(expect.arrayContaining(['test', 'required-items', 'summary', 'secrets']))
    for (const other of others) expect(other).toEqual(first)
  })

  it('is found out however it is tampered with, and stays as it is once it is merged', async () => {
    const { repository, line } = await deliveredTicket()
    const tampered: Record<string, { rules: string[]; does: (place: Place) => Promise<unknown> }> = {
      'a commit past the gates': {
        rules: ['evidence-stale', 'ungated-commit'],
        does: (place) => place.write({ 'more.txt': 'x' }),
      },
      'an edited entry': {
        rules: ['session-altered'],
        does: (place) =>
          editSession(place, (segment) => renderSegment(segment).replace('"title":"Mend it"', '"title":"Bend it"')),
      },
      'entries sealed anew': {
        rules: ['session-altered', 'session-cut'],
        does: (place) =>
          editSession(place, (segment) =>
            resealed(segment, (entry) =>
              entry.type === 'BRIEFED' ? { ...entry, data: { ...(entry.data as object), bytes: 1 } as never } : entry,
            ),
          ),
      },
      'a tail that is cut': {
        rules: ['session-cut'],
        does: (place) =>
          editSession(place, ({ closing: _, ...segment }) => ({ ...segment, entries: segment.entries.slice(0, -4) }) as Segment),
      },
      'a session that is gone': {
        rules: ['session-cut'],
        does: async ({ dir }) => {
          for (const name of await readdir(join(dir, FOLDER))) if (name.startsWith('session-')) await rm(join(dir, FOLDER, name))
        },
      },
      'a tick made up in the checklist': {
        rules: ['tick-forged'],
        does: async (place) => {
          const file = `${FOLDER}/checklist.md`
          const text = await readFile(join(place.dir, file), 'utf8')
          await place.write({ [file]: text.replace(/"ticks":\[\{"attempt":1/, '"ticks":[{"attempt":7') })
        },
      },
      'a tick made up in the session': {
        rules: ['session-cut', 'tick-forged'],
        does: (place) =>
          editSession(place, (segment) =>
            resealed(segment, (entry) =>
              entry.type === 'ITEM_TICKED'
                ? { ...entry, data: { ...(entry.data as object), result: '01ARZ3NDEKTSV4RRFFQ69G5FAV' } as never }
                : entry,
            ),
          ),
      },
    }
    for (const [name, { rules, does }] of Object.entries(tampered)) {
      const place = await cloneOf(repository, 'phase/build_1')
      await does(place)
      await place.commit('By hand', TICKET)
      const result = await place.check()
      expect({ name, ok: result.ok, code: result.code }).toEqual({ name, ok: false, code: 1 })
      expect({ name, rules: result.rules }).toEqual({ name, rules: expect.arrayContaining(rules) })
    }

    expect(await runIssue(line.ports, { issue: 1, merge: 'auto' })).toMatchObject({ outcome: 'done' })
    const place = await cloneOf(repository, 'main')
    await place.git.run(['switch', '-q', '-c', 'feature'])
    await place.write({ [`${FOLDER}/ticket.md`]: 'rewritten' })
    await place.commit()
    const { rules, found, ok } = await place.check()
    expect({ ok, rules }).toEqual({ ok: false, rules: expect.arrayContaining(['frozen-changed']) })
    expect(found.find(({ rule }) => rule === 'frozen-changed')?.path).toBe(`${FOLDER}/ticket.md`)
  })
})

describe('a branch of a person', () => {
  it('is judged by its head, and what no gate saw is only told', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': CONFIG, 'value.txt': 'right' })
    const place = await cloneOf(repository, 'main')
    await place.git.run(['switch', '-q', '-c', 'feature'])
    await place.write({ 'more.txt': 'x' })
    const commit = await place.commit()
    const { ok, code, found, gates } = await place.check()
    expect({ ok, code, test: gates.test }).toEqual({ ok: true, code: 0, test: 'pass' })
    expect(found).toMatchObject([{ rule: 'ungated-commit', severity: 'notice', commit }])
    await place.git.run(['commit', '-q', '--amend', '--no-edit', '--reset-author'])
    await place.git.run(['revert', '--no-edit', 'HEAD'])
    expect((await place.check()).found).toHaveLength(1)
  })

  it('is told what it does to the gates, and what it brought and took away again', async () => {
    const repository = await makeRepository({ '.valuetrain/config.yaml': CONFIG, 'value.txt': 'right' })
    const place = await cloneOf(repository, 'main')
    await place.git.run(['switch', '-q', '-c', 'feature'])
    await place.write({
      '.valuetrain/config.yaml': CONFIG.replace('commands:', 'commands:\n  lint: ["true"]').replace('= right', '= wrong'),
      'value.txt': 'wrong',
    })
    await place.commit()
    const weak = await place.check()
    expect(weak).toMatchObject({ ok: false, gates: { test: 'fail' } })
    expect(weak.found).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          rule: 'gate-weakened',
          severity: 'error',
          message: expect.stringContaining('test: it runs another command'),
        }),
        expect.objectContaining({ rule: 'gate-changed', severity: 'notice', message: 'gate "lint" is new' }),
      ]),
    )
    await place.git.run(['reset', '-q', '--hard', 'main'])
    const key = `AKIA${'IOSFODNN7REALKEY'.slice(0, 16)}`
    await place.write({ 'key.txt': `aws_access_key_id = ${key}\n` })
    await place.commit()
    await rm(join(place.dir, 'key.txt'))
    await place.commit('Take it out')
    const { rules, stdout } = await place.check()
    expect(rules).toEqual(['secret'])
    expect(stdout).not.toContain(key)
  })

  it('is judged as what merging it would give, by gates as the base has them now', async () => {
    const repository = await makeRepository({
      '.valuetrain/config.yaml': 'commands:\n  test: [sh, -c, \'test "$(cat a.txt)$(cat b.txt)" != "22"\']\n',
      'a.txt': '1',
      'b.txt': '1',
    })
    const place = await cloneOf(repository, 'main')
    await place.git.run(['switch', '-q', '-c', 'feature'])
    await place.write({ 'a.txt': '2' })
    await place.commit()
    expect(await place.check()).toMatchObject({ ok: true, gates: { test: 'pass' } })
    await place.git.run(['switch', '-q', 'main'])
    await place.write({ 'b.txt': '2' })
    await place.commit()
    await place.git.run(['switch', '-q', 'feature'])
    const result = await place.check()
    expect(result).toMatchObject({ ok: false, code: 1, gates: { test: 'fail' } })
    expect(JSON.parse(result.stdout)).toMatchObject({ merge: 'judged' })
    await place.write({ 'b.txt': '3' })
    await place.commit()
    const conflicting = await place.check()
    expect(conflicting.rules).toEqual(['merge-conflict'])
    expect(conflicting.gates.test).toBe('pass')
  })

  it('is judged by the built-in gates when the base has no configuration, and that is said', async () => {
    const repository = await makeRepository()
    const place = await cloneOf(repository, 'main')
    await place.git.run(['switch', '-q', '-c', 'feature'])
    await place.write({ 'value.txt': '1' })
    await place.commit()
    const { ok, gates, notes, stderr } = await place.check()
    expect({ ok, secrets: gates.secrets, test: gates.test, stderr }).toEqual({
      ok: true,
      secrets: 'pass',
      test: undefined,
      stderr: 'note: the base has no .valuetrain/config.yaml; only the built-in gates judge\n',
    })
    expect(notes).toEqual(['the base has no .valuetrain/config.yaml; only the built-in gates judge'])
  })
})
