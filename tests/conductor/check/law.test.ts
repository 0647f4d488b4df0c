import { mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runIssue } from '../../../conductor/run.ts'
import { systemClock } from '../../../core/clock.ts'
import type { PlacedEntry } from '../../../core/contracts/event.ts'
import { type Git, openGit } from '../../../core/git.ts'
import { systemIds } from '../../../core/ids.ts'
import { readerAt } from '../../../core/reader.ts'
import { loadSession, parseSegment, renderSegment, type Segment, sealEntry } from '../../../sessions/index.ts'
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

const FULL = process.env.VALUETRAIN_FULL === '1'

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
    const { repository, line } = await deliveredTicket()
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

    // A stranger's plain clone has every verdict that was ever given.
    const { entries } = await loadSession(readerAt(detached.git, 'HEAD'), 'build_1')
    const verdicts = (found: readonly PlacedEntry[]) =>
      found.flatMap((entry) => (entry.type === 'GATE_JUDGED' && entry.data !== null ? [entry.data.result] : []))
    expect(await detached.git.text(['for-each-ref', 'refs/valuetrain'])).toBe('')
    expect(verdicts(entries)).toEqual(verdicts(line.written.map(({ entry }) => entry)))
    expect(verdicts(entries).length).toBeGreaterThan(5)
  })

  it('is judged anew each time, unless one asks to repeat what the session says of the very same question', async () => {
    const place = await mkdtemp(join(tmpdir(), 'vt-runs-'))
    onTestFinished(() => rm(place, { recursive: true, force: true }))
    const script = `require('fs').appendFileSync('${place}/runs', 'x'); process.exit(require('fs').readFileSync('value.txt', 'utf8') === 'right' ? 0 : 1)`
    const config = CONFIG.replace(/ {2}test: .*/, `  test: [node, -e, ${JSON.stringify(script)}]`)
    const { repository } = await deliveredTicket({ '.valuetrain/config.yaml': `jail: off\n${config}` })
    const runsOf = async (env: NodeJS.ProcessEnv, ...flags: string[]) => {
      await writeFile(join(place, 'runs'), '')
      const at = placeAt(repository.dir, repository.git, { ...repository.env, ...env })
      const { gates, ok } = await at.check('--head', 'phase/build_1', ...flags)
      return { ok, test: gates.test, runs: (await readFile(join(place, 'runs'), 'utf8')).length }
    }
    const judged = { ok: true, test: 'pass', runs: 1 }
    expect(await runsOf({})).toEqual(judged)
    expect(await runsOf({}, '--reuse')).toEqual({ ...judged, runs: 0 })
    expect(await runsOf({ CI: 'true' }, '--reuse')).toEqual(judged)
    // Another toolchain answers another question.
    const node = `#!/bin/sh\n[ "$1" = --version ] && { echo v99.0.0; exit; }\nexec '${process.execPath}' "$@"\n`
    await writeFile(join(place, 'node'), node, { mode: 0o755 })
    expect(await runsOf({ PATH: `${place}:${repository.env.PATH}` }, '--reuse')).toEqual(judged)
    // So does another definition of the gate, as the base has it by now; the merge result is judged as well.
    await repository.commit({ '.valuetrain/config.yaml': `jail: off\n${config.replace("'x'", "'y'")}` })
    expect(await runsOf({}, '--reuse')).toMatchObject({ test: 'pass', runs: 2 })
  })

  it('is found out however it is tampered with, and stays as it is once it is merged', { timeout: 300_000 }, async () => {
    const { repository, line } = await deliveredTicket()
    // Those marked `again` break a rule in another way; the full tier has them, too.
    const tampered: Record<string, { rules: string[]; again?: true; does: (place: Place) => Promise<unknown> }> = {
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
        again: true,
        rules: ['session-cut'],
        does: async ({ dir }) => {
          for (const name of await readdir(join(dir, FOLDER))) if (name.startsWith('session-')) await rm(join(dir, FOLDER, name))
        },
      },
      'a merge that was not settled': {
        again: true,
        rules: ['session-altered'],
        does: (place) => editSession(place, (segment) => `${renderSegment(segment)}<<<<<<< ours\n=======\n>>>>>>> theirs\n`),
      },
      'a step that the rules do not allow': {
        rules: ['session-cut', 'step-refused'],
        does: (place) =>
          editSession(place, (segment) =>
            resealed(segment, (entry) => {
              if (entry.type !== 'GATE_JUDGED') return entry
              const data = entry.data as { result: object }
              return { ...entry, data: { ...data, result: { ...data.result, verdict: 'fail' } } as never }
            }),
          ),
      },
      'a pipeline that nobody knows': {
        rules: ['pipeline-unknown', 'session-cut'],
        does: (place) =>
          editSession(place, (segment) =>
            resealed(segment, (entry) =>
              entry.type === 'TICKET_OPENED'
                ? { ...entry, data: { ...(entry.data as object), pipeline: 'shortcut' } as never }
                : entry,
            ),
          ),
      },
      'a checklist that is none': {
        rules: ['checklist-unreadable'],
        does: (place) => place.write({ [`${FOLDER}/checklist.md`]: '- [x] all done <!-- {"ticks": -->\n' }),
      },
      'a link in the place of the session': {
        again: true,
        rules: ['session-altered', 'session-cut'],
        does: async ({ dir }) => {
          const folder = join(dir, FOLDER)
          const name = (await readdir(folder)).find((file) => file.startsWith('session-')) as string
          await rename(join(folder, name), join(dir, 'moved.md'))
          await symlink('../../../moved.md', join(folder, name))
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
        again: true,
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
    for (const [name, { rules, again, does }] of Object.entries(tampered)) {
      if (again && !FULL) continue
      const place = await cloneOf(repository, 'phase/build_1')
      await does(place)
      await place.commit('By hand', TICKET)
      const result = await place.check()
      expect({ name, ok: result.ok, code: result.code }).toEqual({ name, ok: false, code: 1 })
      expect({ name, rules: result.rules }).toEqual({ name, rules: expect.arrayContaining(rules) })
    }

    const harmless = await cloneOf(repository, 'phase/build_1')
    await editSession(harmless, (segment) => renderSegment(segment).replaceAll('\n', '\r\n'))
    await harmless.git.run(['config', 'core.safecrlf', 'false'])
    await harmless.write({ '.git/info/attributes': '* -text\n' })
    await harmless.commit('Line ends of Windows', TICKET)
    expect(await harmless.check()).toMatchObject({ ok: true, found: [] })

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
