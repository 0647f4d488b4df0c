/**
 * H1, H2, H3: what a commit costs with hooks over the same commit without any, in one run with an empty `sh` hook and with
 * other hook tools, as far as npm has them here.
 *
 * Every variant has a repository of its own with the same 60 files, `gc.auto=0`, and commits one changed file a round;
 * rounds run the variants in random order. CPU time counts git and everything it waited for, `git add` apart.
 */
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { systemClock } from '../core/clock.ts'
import { systemIds } from '../core/ids.ts'
import { openRepository } from '../core/repository.ts'
import { installHooks } from '../hooks/install.ts'
import { headerDigest, renderSegment, type SegmentHeader, sealEntry, segmentFile } from '../sessions/index.ts'
import { type Benchmark, type Cost, costOf, interleave, median, type Row, rowOf } from './measure.ts'

const run = promisify(execFile)
const FILES = 60
const SESSIONS = 5_000
const TICKET = 'build_1'
const FOUR = ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'post-commit']
/** The last lines that run on Node 20 where the newest does not. */
const PEERS = { husky: 'husky@9.1.7', lefthook: 'lefthook@2.2.2', prek: '@j178/prek@0.5.3', 'lint-staged': 'lint-staged@16.4.0' }

const bench: Benchmark = async ({ full, seed, env, root, note }) => {
  const rounds = full ? 51 : 15
  const outside = await mkdtemp(join(tmpdir(), 'vt-bench-'))
  const here = { ...env, ...IDENTITY, HOME: outside, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' }
  try {
    const peers = await installPeers(join(outside, 'peers'), env, note)
    const places: Place[] = []
    const add = async (name: string, prepare: (dir: string) => Promise<void>, more: Partial<Place> = {}) => {
      const dir = await makeRepository(join(outside, name.replaceAll(/\W+/g, '-')), here)
      await prepare(dir)
      places.push({ name, dir, ...more })
    }
    const ours = (mode: 'native' | 'husky') => async (dir: string) => {
      const program = join(root, 'dist', 'bin', 'hook.cjs')
      await installHooks(await openRepository(dir, here), { mode, node: process.execPath, program })
    }
    await add('no hook', async () => {})
    await add('four empty sh hooks', (dir) => writeHooks(join(dir, '.git/hooks'), FOUR, 'exit 0'))
    await add('valuetrain, nothing relevant', ours('native'))
    await add(
      'valuetrain, a session file',
      async (dir) => {
        await git(dir, here, ['checkout', '-q', '-b', `phase/${TICKET}`])
        await ours('native')(dir)
      },
      { session: true },
    )
    await add(`no hook, ${SESSIONS} sessions`, (dir) => manySessions(dir, here))
    await add(
      `valuetrain, a session file, ${SESSIONS} sessions`,
      async (dir) => {
        await manySessions(dir, here)
        await git(dir, here, ['checkout', '-q', '-b', `phase/${TICKET}`])
        await ours('native')(dir)
      },
      { session: true },
    )
    await add(`valuetrain, nothing relevant, ${SESSIONS} sessions`, async (dir) => {
      await manySessions(dir, here)
      await ours('native')(dir)
    })
    if (peers.has('husky')) {
      const husky = async (dir: string) => {
        await run(process.execPath, [join(outside, 'peers/node_modules/husky/bin.js')], { cwd: dir, env: here })
        await writeFile(join(dir, '.husky/pre-commit'), 'true\n')
      }
      await add('husky, true', husky)
      await add('valuetrain in husky, nothing relevant', async (dir) => {
        await husky(dir)
        await ours('husky')(dir)
      })
    }
    if (peers.has('lefthook')) {
      await add('lefthook, true', async (dir) => {
        await writeFile(join(dir, 'lefthook.yml'), 'pre-commit:\n  jobs:\n    - run: "true"\n')
        await run(join(outside, 'peers/node_modules/.bin/lefthook'), ['install'], { cwd: dir, env: here })
      })
    }
    if (peers.has('prek')) {
      await add('prek, true', async (dir) => {
        const hook = '  - id: nothing\n    name: nothing\n    language: system\n    entry: "true"\n    pass_filenames: false\n'
        await writeFile(join(dir, '.pre-commit-config.yaml'), `repos:\n- repo: local\n  hooks:\n${hook}`)
        await run(join(outside, 'peers/node_modules/.bin/prek'), ['install'], { cwd: dir, env: here })
      })
    }
    if (peers.has('lint-staged')) {
      await add('lint-staged, true', async (dir) => {
        await writeFile(join(dir, '.lintstagedrc.json'), '{"*.txt": "true"}\n')
        const program = join(outside, 'peers/node_modules/lint-staged/bin/lint-staged.js')
        await writeHooks(join(dir, '.git/hooks'), ['pre-commit'], `exec "${process.execPath}" "${program}" --quiet`)
      })
    }
    for (const { dir } of places) await git(dir, here, ['commit', '-q', '--no-verify', '--allow-empty', '-m', 'Settle'])
    note(`${rounds} rounds of ${places.length} variants, CPU time of \`git commit\` and what it started`)
    return await measure(places, { rounds, seed, env: here })
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}
export default bench

const IDENTITY = {
  GIT_AUTHOR_NAME: 'Bench',
  GIT_AUTHOR_EMAIL: 'bench@example.com',
  GIT_COMMITTER_NAME: 'Bench',
  GIT_COMMITTER_EMAIL: 'bench@example.com',
}

interface Place {
  name: string
  dir: string
  /** Whether each commit brings a session file with 20 events. */
  session?: boolean
}

async function measure(
  places: readonly Place[],
  { rounds, seed, env }: { rounds: number; seed: number; env: NodeJS.ProcessEnv },
): Promise<Row[]> {
  const walls = new Map<string, number[]>()
  let change = 0
  const variants = Object.fromEntries(
    places.map(({ name, dir, session }) => [
      name,
      async () => {
        change += 1
        if (session) await writeSession(dir, TICKET)
        else await writeFile(join(dir, 'file-1.txt'), `change ${change}\n`)
        await git(dir, env, ['add', '--all'])
        const message = session ? `Change\n\nValuetrain-Ticket: ${TICKET}` : 'Change'
        const cost: Cost = await costOf(['git', '-c', 'gc.auto=0', 'commit', '-q', '-m', message], { cwd: dir, env })
        walls.set(name, [...(walls.get(name) ?? []), cost.wallMs])
        return cost.cpuMs
      },
    ]),
  ) as Record<string, () => Promise<number>>
  const samples = await interleave(variants, rounds, seed)
  return Object.entries(samples).flatMap(([name, values]) => {
    // git itself takes longer in a repository of thousands of files.
    const floor = samples[name.includes(`${SESSIONS}`) ? `no hook, ${SESSIONS} sessions` : 'no hook'] ?? []
    const wall = Math.min(...(walls.get(name) ?? []))
    const over = Number((median(values) - median(floor)).toFixed(1))
    return [
      rowOf(name, 'ms CPU', values, ...(name.startsWith('no hook') ? [] : [{ floor }])),
      { name: `${name}, over no hook`, value: over, unit: 'ms CPU', rounds },
      { name: `${name}, least wall time`, value: Number(wall.toFixed(1)), unit: 'ms', rounds },
    ]
  })
}

async function makeRepository(dir: string, env: NodeJS.ProcessEnv): Promise<string> {
  await mkdir(dir, { recursive: true })
  await git(dir, env, ['init', '-q', '--initial-branch=main'])
  await git(dir, env, ['config', 'gc.auto', '0'])
  for (let number = 1; number <= FILES; number++) await writeFile(join(dir, `file-${number}.txt`), `file ${number}\n`)
  await git(dir, env, ['add', '--all'])
  await git(dir, env, ['commit', '-q', '-m', 'Begin'])
  return dir
}

async function manySessions(dir: string, env: NodeJS.ProcessEnv): Promise<void> {
  for (let issue = 2; issue < SESSIONS + 2; issue++) await writeSession(dir, `build_${issue}`, 2)
  await git(dir, env, ['add', '--all'])
  await git(dir, env, ['commit', '-q', '-m', 'Sessions'])
  await git(dir, env, ['gc', '-q'])
}

async function writeSession(dir: string, ticket: string, events = 20): Promise<void> {
  const ids = systemIds(systemClock)
  const header: SegmentHeader = {
    schema: 1,
    session: ids.ulid(),
    segment: ids.ulid(),
    parents: [],
    ticket,
    pipeline: 'routine',
    phase: 'build',
    mode: 'build',
    actor: { kind: 'agent', role: 'conductor' },
    base: 'b'.repeat(40),
    opened: new Date(systemClock.now()).toISOString(),
    epoch: 1,
  }
  const entries: ReturnType<typeof sealEntry>[] = []
  for (let seq = 0; seq < events; seq++) {
    const data = { actor: header.actor, text: `Something was said, for the ${seq}th time, and it took a line.` }
    const prev = entries.at(-1)?.hash ?? headerDigest(header)
    entries.push(sealEntry({ seq, id: ids.ulid(), ts: header.opened, type: 'COMMENTED', data, prev }))
  }
  const file = join(dir, '.valuetrain/tickets', ticket, segmentFile(header.segment))
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, renderSegment({ header, entries }))
}

async function writeHooks(folder: string, names: readonly string[], body: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const name of names) {
    await writeFile(join(folder, name), `#!/bin/sh\n${body}\n`)
    await chmod(join(folder, name), 0o755)
  }
}

/** Installs the peers one by one into a folder of their own; one that cannot be had is left out, and said. */
async function installPeers(folder: string, env: NodeJS.ProcessEnv, note: (text: string) => void): Promise<ReadonlySet<string>> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private": true}\n')
  const there = new Set<string>()
  for (const [name, spec] of Object.entries(PEERS)) {
    try {
      await run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, spec], { cwd: folder, env })
      there.add(name)
    } catch {
      note(`${spec} could not be installed and is left out`)
    }
  }
  return there
}

async function git(dir: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<void> {
  await run('git', args, { cwd: dir, env, maxBuffer: 64 * 1024 * 1024 })
}
