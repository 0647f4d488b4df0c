/**
 * A1: many simultaneous starts, each a process of its own that opens a worktree and lets a scripted agent commit in it,
 * against the floor of as many plain `git worktree add` at once, and beside an npm peer: one process of it that starts as
 * many runs at once, as its README shows, with an agent that commits. Counted are starts that failed and what they left
 * behind. `--full` runs 50 starts 20 times.
 *
 * On a RAM disk plain adds hardly ever fail; the temporary folder should lie on a real one.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Git, openGit } from '../core/git.ts'
import { openRepository } from '../core/repository.ts'
import { closeWorktree, listWorktrees } from '../core/worktree.ts'
import { type Bench, type Benchmark, type Row, randomFrom, rowOf } from './measure.ts'
import { installSandcastle, type Peer } from './sandcastle.ts'

const FILES = 1_000

const bench: Benchmark = async ({ full, seed, env, root: project, note }) => {
  const [starts, rounds] = full ? [50, 20] : [50, 2]
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-bench-')))
  try {
    const { dir, git, base, env: quiet } = await makeLargeRepository(outside, env)
    note(`${starts} starts at once, ${rounds} rounds, ${FILES} files`)
    const peer = await installSandcastle(join(outside, 'peer'), PEER_AGENT, env, quiet)
    if ('missing' in peer) note(peer.missing)
    const starters: Record<string, (names: readonly string[]) => Promise<Round>> = {
      ours: (names) => startOurs(project, dir, base, names, quiet),
      plain: (names) => startPlain(git, outside, base, names),
      ...('missing' in peer ? {} : { peer: async (names) => startPeer(await peer.open(), dir, quiet, names, note) }),
    }
    const samples: Record<string, Round[]> = {}
    const random = randomFrom(seed)
    for (let round = 0; round < rounds; round++) {
      const order = Object.keys(starters).map((kind) => ({ kind, at: random() }))
      for (const { kind } of order.sort((a, b) => a.at - b.at)) {
        const names = Array.from({ length: starts }, (_, at) => `build_${round * starts + at + 1}`)
        const result = await (starters[kind] as (typeof starters)[string])(names)
        samples[kind] = [...(samples[kind] ?? []), result]
        note(`round ${round + 1} ${kind}: ${starts - result.failed} of ${starts} started in ${Math.round(result.wallMs)} ms`)
      }
    }
    const { ours = [], plain = [], peer: peers = [] } = samples
    const failed = (list: readonly Round[]) => list.map((round) => round.failed)
    const left = (list: readonly Round[]) => list.map((round) => round.left)
    const wall = (list: readonly Round[]) => list.map((round) => round.wallMs)
    const total = (list: readonly number[]) => list.reduce((sum, count) => sum + count, 0)
    const counted = (name: string, unit: string, list: readonly number[]): Row => ({
      ...rowOf(name, unit, list),
      value: total(list),
    })
    return [
      { name: 'starts', value: starts * rounds, unit: 'starts', rounds },
      { ...counted('failed starts', 'starts', failed(ours)), floor: total(failed(plain)), goal: '0' },
      { ...counted('left behind (branches, folders, records)', 'things', left(ours)), goal: '0' },
      rowOf('until all have committed, against plain adds', 'ms', wall(ours), { floor: wall(plain) }),
      rowOf(
        'until a worktree is open, median of a round',
        'ms',
        ours.map((round) => round.openMs),
      ),
      ...('missing' in peer
        ? [{ name: peer.missing, value: Number.NaN, unit: 'starts', rounds: 0 }]
        : [
            counted('sandcastle: failed starts', 'starts', failed(peers)),
            counted('sandcastle: left behind by them', 'things', left(peers)),
            rowOf('sandcastle: until all have ended, against plain adds', 'ms', wall(peers), { floor: wall(plain) }),
          ]),
    ]
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}
export default bench

interface Round {
  failed: number
  left: number
  wallMs: number
  openMs: number
}

async function makeLargeRepository(outside: string, env: Bench['env']) {
  const dir = join(outside, 'repo')
  const quiet: NodeJS.ProcessEnv = {
    ...env,
    HOME: outside,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'Bench',
    GIT_AUTHOR_EMAIL: 'bench@example.com',
    GIT_COMMITTER_NAME: 'Bench',
    GIT_COMMITTER_EMAIL: 'bench@example.com',
  }
  for (let folder = 0; folder < FILES / 50; folder++) {
    await mkdir(join(dir, `folder-${folder}`), { recursive: true })
    for (let file = 0; file < 50; file++)
      await writeFile(join(dir, `folder-${folder}`, `file-${file}.txt`), `${folder} ${file}\n`.repeat(40))
  }
  const git = openGit(dir, quiet)
  await git.run(['init', '--quiet', '--initial-branch=main'])
  await git.run(['add', '--all'])
  await git.run(['commit', '--quiet', '--message', 'Begin'])
  return { dir, git, base: await git.text(['rev-parse', 'HEAD']), env: quiet }
}

async function startOurs(
  project: string,
  dir: string,
  base: string,
  names: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Round> {
  const root = `${dir}.worktrees`
  const racers = await Promise.all(names.map((name) => launch(project, [dir, root, name, base], env)))
  const begun = performance.now()
  const results = await Promise.all(racers.map((racer) => racer.go()))
  const wallMs = performance.now() - begun
  const openMs = results.flatMap((result) => (result ? [result.openMs] : [])).sort((a, b) => a - b)
  const repo = await openRepository(dir, env)
  for (const name of names) {
    await closeWorktree(repo, { dir: join(root, name) }, { ticket: name, id: '01J00000000000000000000001', keep: [] }).catch(
      () => {},
    )
    await repo.git.succeeds(['branch', '--delete', '--force', '--', `phase/${name}`])
  }
  const left = [
    ...(await readdir(root).catch(() => [])),
    ...(await readdir(join(repo.commonDir, 'worktrees')).catch(() => [])),
    ...(await readdir(join(repo.stateDir, 'locks')).catch(() => [])),
    ...(await repo.git.text(['for-each-ref', '--format=%(refname)', 'refs/heads/phase', 'refs/valuetrain']))
      .split('\n')
      .filter(Boolean),
    ...(await listWorktrees(repo)).slice(1),
  ]
  return {
    failed: results.filter((result) => result === undefined).length,
    left: left.length,
    wallMs,
    openMs: openMs[openMs.length >> 1] ?? 0,
  }
}

/** What the peer finds as `claude`: does what the other agents do. */
const PEER_AGENT = `#!/bin/sh
cat > /dev/null
echo work > agent.txt
git add -- agent.txt && git commit --quiet -m Work
echo '{"type":"result","result":"<promise>COMPLETE</promise>"}'
`

/** Counts as left what is there besides the branches of runs that went well: those are what they were asked for. */
async function startPeer(
  peer: Peer,
  dir: string,
  env: NodeJS.ProcessEnv,
  names: readonly string[],
  note: Bench['note'],
): Promise<Round> {
  const repo = await openRepository(dir, env)
  const root = join(dir, '.sandcastle')
  const begun = performance.now()
  const runs = await peer.start(dir, names)
  const wallMs = performance.now() - begun
  await peer.close()
  const failed = runs.filter(({ done }) => !done)
  const [problem] = failed
  if (problem) note(`the peer's first failure: ${problem.problem}`)
  const worked = new Set(runs.flatMap(({ done, name }) => (done ? [`refs/heads/peer/${name}`] : [])))
  const refs = async () =>
    (await repo.git.text(['for-each-ref', '--format=%(refname)', 'refs/heads/peer'])).split('\n').filter(Boolean)
  const left = [
    ...(await readdir(join(root, 'worktrees')).catch(() => [])),
    ...(await readdir(join(repo.commonDir, 'worktrees')).catch(() => [])),
    ...(await refs()).filter((ref) => !worked.has(ref)),
  ]
  await rm(root, { recursive: true, force: true })
  await repo.git.run(['worktree', 'prune'])
  for (const ref of await refs()) await repo.git.run(['update-ref', '-d', ref])
  return { failed: failed.length, left: left.length, wallMs, openMs: 0 }
}

/** Starts a racer and waits until it is ready to go. */
async function launch(project: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const starter = fileURLToPath(new URL('./worktree-starter.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', starter, ...args], {
    cwd: project,
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = printedBy(child)
  await lines.next()
  return {
    async go(): Promise<{ openMs: number; workedMs: number } | undefined> {
      child.stdin?.write('go\n')
      const { value } = await lines.next()
      return value === undefined ? undefined : (JSON.parse(value) as { openMs: number; workedMs: number })
    },
  }
}

async function* printedBy(child: ChildProcess): AsyncGenerator<string, undefined> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += chunk
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end)
      text = text.slice(end + 1)
    }
  }
  return undefined
}

/** What anybody would write: all adds at once, files and all, then a commit in each. */
async function startPlain(git: Git, outside: string, base: string, names: readonly string[]): Promise<Round> {
  const root = join(outside, 'plain')
  await mkdir(root, { recursive: true })
  const begun = performance.now()
  const started = await Promise.all(
    names.map(async (name) => {
      const dir = join(root, name)
      if (!(await git.succeeds(['worktree', 'add', '--quiet', '-b', `plain/${name}`, '--', dir, base]))) return false
      await writeFile(join(dir, 'agent.txt'), `${name}\n`)
      return (await git.at(dir).succeeds(['add', '--', 'agent.txt'])) && git.at(dir).succeeds(['commit', '--quiet', '-m', name])
    }),
  )
  const wallMs = performance.now() - begun
  await rm(root, { recursive: true, force: true })
  await git.run(['worktree', 'prune'])
  for (const name of names) await git.succeeds(['branch', '--delete', '--force', '--', `plain/${name}`])
  return { failed: started.filter((done) => !done).length, left: 0, wallMs, openMs: 0 }
}
