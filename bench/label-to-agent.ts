/**
 * A2: from a label to the start of the agent's process, in a repository of 1,000 files with a `drive` waiting; beside the floor
 * of `git worktree add` and the same agent, and beside an npm peer.
 *
 * Without a network at all (`forge: local`, `remote: null`) the time begins when the issue's file with its label is there, and
 * what is left of the interval of 100 ms between two looks is waited for, too. On GitHub (`remote: origin`) it begins with the
 * delivery of the label: the forge's hook goes to a relay that notes the time and passes it on, so neither the forge's own time
 * nor the way to us is in the number; but questions to the forge, the claim and the ticket's first push over HTTP are, all on
 * the loopback address. The agent is a shell script whose first act is to note the time. Every round has new processes and
 * clones: `first` is the first ticket a process works, `next` the second of the same process, which a drive that stays has all
 * the time.
 */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Git } from '../core/git.ts'
import { openStand, type Stand, type StandRepository } from '../tests/support/github/index.ts'
import { cloneStage, quietEnvironment, SECRET, type Stage, startDrive, thousandFiles } from './github-stage.ts'
import { type Benchmark, cpuSoFar, interleave, median, type Row, rowOf } from './measure.ts'
import { installSandcastle, type Peer } from './sandcastle.ts'

const bench: Benchmark = async ({ full, seed, env, root, note }) => {
  const rounds = full ? 51 : 11
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-bench-')))
  const stand = await openStand()
  const relay = await openRelay()
  try {
    for (const folder of ['home', 'started', 'floor']) await mkdir(join(outside, folder))
    const quiet = quietEnvironment(env, join(outside, 'home'))
    const starts = watchStarts(join(outside, 'started'))
    const agent = join(outside, 'agent.sh')
    await writeFile(agent, AGENT)
    const repository = async (name: string, forge: 'local' | 'github') => {
      const config = configOf({ agent, started: starts.folder, forge })
      return stand.repository(name, { ...thousandFiles(), '.valuetrain/config.yaml': config })
    }
    const [alone, shared] = [await repository('alone', 'local'), await repository('shared', 'github')]
    await hook(stand, shared, relay.url)
    const plain = await cloneStage(stand, alone, join(outside, 'plain'), quiet)
    const castle = await cloneStage(stand, alone, join(outside, 'castle'), quiet)
    const claude = `#!/bin/sh\nset -- '${starts.folder}'\n${AGENT.replace('#!/bin/sh\n', '')}${AGENT_COMMITS}`
    const peer = await installSandcastle(join(outside, 'peer'), claude, env, quiet)
    if ('missing' in peer) note(peer.missing)

    const measured = new Map<string, Start[]>()
    const keep = (name: string, start: Start) => {
      measured.set(name, [...(measured.get(name) ?? []), start])
      return start.wallMs
    }
    let serial = 0
    const oursAlone = async () => {
      const stage = await cloneStage(stand, alone, join(outside, `clone-${++serial}`), quiet)
      return keep('ours, forge: local, first', await driveAlone(stage, starts, root))
    }
    const ours = async () => {
      const name = 'ours, forge: github'
      const stage = await cloneStage(stand, shared, join(outside, `clone-${++serial}`), quiet)
      const [first, next] = await driveOnce({ stand, stage, relay, starts, root, again: full })
      if (next !== undefined) keep(`${name}, next`, next)
      return keep(`${name}, first`, first)
    }
    const variants: Record<string, () => Promise<number>> = {
      floor: async () => keep(FLOOR, await startPlain(plain, agent, starts, join(outside, 'floor', `${++serial}`), quiet)),
      alone: oursAlone,
      shared: ours,
      ...('missing' in peer
        ? {}
        : {
            peer: async () => {
              const open = await peer.open()
              const first = keep('sandcastle, first', await startPeer(open, castle, starts, ++serial))
              if (full) keep('sandcastle, next', await startPeer(open, castle, starts, ++serial))
              await open.close()
              return first
            },
          }),
    }
    note(`${rounds} rounds of ${Object.keys(variants).length} variants; load ${loadavg()[0]?.toFixed(1)}`)
    await interleave(variants, rounds, seed)
    note(`load at the end ${loadavg()[0]?.toFixed(1)}`)
    // The round before the first is in `measured`, too.
    const samples = [...measured].map(([name, list]) => [name, list.slice(1)] as const)
    const floor = samples.find(([name]) => name === FLOOR)?.[1] ?? []
    return [
      ...samples.flatMap(([name, list]) => rowsOf(name, list, floor)),
      ...('missing' in peer ? [{ name: peer.missing, value: Number.NaN, unit: 'ms', rounds: 0 }] : []),
    ]
  } finally {
    await relay.close()
    await stand.close()
    await rm(outside, { recursive: true, force: true })
  }
}
export default bench

const FLOOR = 'git worktree add, then the agent'

/** From a label, or from the word to begin, to the agent: time that went by, and CPU of us and of what we waited for. */
interface Start {
  wallMs: number
  cpuMs: number
  /** Time in which git talked with the remote. */
  talkMs?: number
}

function rowsOf(name: string, list: readonly Start[], floor: readonly Start[]): Row[] {
  const [walls, cpus] = [list.map(({ wallMs }) => wallMs), list.map(({ cpuMs }) => cpuMs)]
  if (name === FLOOR) return [rowOf(name, 'ms', walls), rowOf(`${name}, CPU`, 'ms CPU', cpus)]
  const floors = floor.map(({ wallMs }) => wallMs)
  const isOurs = name.startsWith('ours')
  const rounds = list.length
  const p95 = [...walls].sort((a, b) => a - b)[Math.ceil(0.95 * rounds) - 1] ?? Number.NaN
  const over = median(walls) - median(floors)
  return [
    rowOf(`${name}, p50`, 'ms', walls, { floor: floors }),
    { name: `${name}, p95`, value: Math.round(p95), unit: 'ms', rounds, ...(isOurs ? { goal: 'at most 1000' } : {}) },
    {
      name: `${name}, p50 over the floor`,
      value: Math.round(over),
      unit: 'ms',
      rounds,
      ...(isOurs ? { goal: 'at most 150' } : {}),
    },
    ...talkRows(name, list, floors),
    rowOf(`${name}, CPU`, 'ms CPU', cpus, { floor: floor.map(({ cpuMs }) => cpuMs) }),
  ]
}

/** What is left without the time in which git talked with the remote, which a real network makes what it is. */
function talkRows(name: string, list: readonly Start[], floors: readonly number[]): Row[] {
  if (list.some(({ talkMs }) => talkMs === undefined)) return []
  const rest = list.map(({ wallMs, talkMs = 0 }) => wallMs - talkMs)
  const over = Math.round(median(rest) - median(floors))
  return [
    rowOf(`${name}, git's talks left out`, 'ms', rest, { floor: floors }),
    {
      name: `${name}, git's talks left out, p50 over the floor`,
      value: over,
      unit: 'ms',
      rounds: list.length,
      goal: 'at most 150',
    },
  ]
}

/** Returns how long, between two moments, git talked with another machine, from what git itself noted of its processes. */
async function talkedMs(trace: string, from: number, to: number): Promise<number> {
  const begun = new Map<string, number>()
  const spans: [number, number][] = []
  for (const line of (await readFile(trace, 'utf8')).split('\n')) {
    if (line === '') continue
    const { event, sid, argv, time, t_abs: seconds } = JSON.parse(line)
    if (event === 'start' && !sid.includes('/') && argv.some((word: string) => TALKS.has(word))) begun.set(sid, Date.parse(time))
    const at = event === 'atexit' ? begun.get(sid) : undefined
    if (at !== undefined) spans.push([Math.max(from, at), Math.min(to, at + seconds * 1_000)])
  }
  let [sum, until] = [0, from]
  for (const [start, end] of spans.sort(([a], [b]) => a - b)) {
    sum += Math.max(0, end - Math.max(start, until))
    until = Math.max(until, end)
  }
  return sum
}

const TALKS: ReadonlySet<string> = new Set(['fetch', 'push', 'ls-remote'])

/** How long a drive that was just started gets to have looked and found nothing. */
const SETTLED_MS = 4_000

/** Waits with a new drive that asks nobody but this clone for an issue, and writes it. */
async function driveAlone(stage: Stage, starts: Starts, root: string): Promise<Start> {
  const driving = startDrive(root, stage, ['--merge', 'auto'])
  try {
    await delay(SETTLED_MS)
    const folder = join(stage.dir, '.valuetrain', 'issues')
    await mkdir(folder, { recursive: true })
    const due = starts.next()
    const before = await cpuSoFar(driving.child.pid ?? 0)
    await writeFile(join(folder, '1-one.md'), ISSUE)
    const begun = Date.now()
    const wallMs = (await due) - begun
    const after = await cpuSoFar(driving.child.pid ?? 0)
    return { wallMs, cpuMs: after.own + after.children - before.own - before.children }
  } catch (error) {
    throw new Error(`${(error as Error).message}; the drive said: ${driving.said().slice(-1500)}`)
  } finally {
    driving.child.kill('SIGKILL')
    await driving.ended()
    await rm(stage.dir, { recursive: true, force: true, maxRetries: 5 })
    await rm(`${stage.dir}.worktrees`, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Waits with a new drive for a label, and sets it; again for a second issue when the first has been merged. */
async function driveOnce(given: {
  stand: Stand
  stage: Stage
  relay: Relay
  starts: Starts
  root: string
  again: boolean
}): Promise<[Start, Start?]> {
  const { stand, stage, relay, starts, root, again } = given
  const owner = stand.as('owner')
  const issues = [await stage.issue('One', []), await stage.issue('Two', [])] as const
  const looked = stand.journal.length
  const trace = `${stage.dir}.trace`
  const env = { ...stage.env, GIT_TRACE2_EVENT: trace }
  const driving = startDrive(root, { ...stage, env }, ['--merge', 'auto', '--webhook', '0'])
  try {
    await driving.until('deliveries are taken at ')
    relay.target = /deliveries are taken at (\S+)/.exec(driving.said())?.[1] ?? ''
    const looks = () => stand.journal.slice(looked).filter(({ path }) => path === `/repos/${stage.at.fullName}/issues`).length
    const label = async (issue: number): Promise<Start> => {
      const due = starts.next()
      const before = await cpuSoFar(driving.child.pid ?? 0)
      await owner('POST', `/repos/${stage.at.fullName}/issues/${issue}/labels`, { labels: ['auto'] })
      const [began, labelled] = [await due, relay.labelled(issue)]
      const after = await cpuSoFar(driving.child.pid ?? 0)
      const cpuMs = after.own + after.children - before.own - before.children
      return { wallMs: began - labelled, cpuMs, talkMs: await talkedMs(trace, labelled, began) }
    }
    // It has looked at the queue and found nothing; then whatever follows a look has time to end.
    const idle = async (isMoreThan: number) => {
      while (looks() <= isMoreThan) await delay(20)
      await delay(1_500)
    }
    await idle(0)
    const first = await label(issues[0])
    if (!again) return [first]
    await driving.until('"DELIVERED"')
    await idle(looks())
    return [first, await label(issues[1])]
  } catch (error) {
    throw new Error(`${(error as Error).message}; the drive said: ${driving.said().slice(-1500)}`)
  } finally {
    // Nothing is kept of the clone, so nothing is lost by an end without warning.
    driving.child.kill('SIGKILL')
    await driving.ended()
    await rm(stage.dir, { recursive: true, force: true, maxRetries: 5 })
    await rm(`${stage.dir}.worktrees`, { recursive: true, force: true, maxRetries: 5 })
    for (const issue of issues) await owner('PATCH', `/repos/${stage.at.fullName}/issues/${issue}`, { state: 'closed' })
    await forget(stage.at.git)
  }
}

/** Takes the claims and branches of a round away from the forge. */
async function forget(git: Git): Promise<void> {
  const listed = await git.text(['for-each-ref', '--format=%(refname)', 'refs/valuetrain', 'refs/heads/phase'])
  for (const ref of listed.split('\n').filter(Boolean)) await git.run(['update-ref', '-d', ref])
}

/** What anybody would write: a worktree with its files, and the agent in it. */
async function startPlain(stage: Stage, agent: string, starts: Starts, dir: string, env: NodeJS.ProcessEnv): Promise<Start> {
  const due = starts.next()
  const before = await cpuSoFar(process.pid)
  const begun = Date.now()
  await stage.git.run(['worktree', 'add', '--quiet', '--detach', '--', dir, 'main'])
  const child = spawn('sh', [agent, starts.folder], { cwd: dir, env, stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end('Do it.\n')
  const ended = new Promise((resolve) => child.on('close', resolve))
  const wallMs = (await due) - begun
  // git has been waited for, the agent has not.
  const cpuMs = (await cpuSoFar(process.pid)).children - before.children
  await ended
  await rm(dir, { recursive: true, force: true })
  await stage.git.run(['worktree', 'prune'])
  return { wallMs, cpuMs }
}

async function startPeer(peer: Peer, stage: Stage, starts: Starts, serial: number): Promise<Start> {
  const due = starts.next()
  const before = await cpuSoFar(peer.pid)
  const begun = Date.now()
  const running = peer.start(stage.dir, [`${serial}`])
  const wallMs = (await due) - begun
  const after = await cpuSoFar(peer.pid)
  const [run] = await running
  if (!run?.done) throw new Error(`the peer did not work: ${run?.problem}`)
  return { wallMs, cpuMs: after.own + after.children - before.own - before.children }
}

interface Starts {
  folder: string
  /** Returns when the next agent began, in milliseconds since 1970. */
  next(): Promise<number>
}

function watchStarts(folder: string): Starts {
  return {
    folder,
    async next() {
      for (const end = performance.now() + 60_000; performance.now() < end; await delay(5)) {
        const found = (await readdir(folder)).find((name) => !name.endsWith('.new'))
        if (found === undefined) continue
        const nanoseconds = await readFile(join(folder, found), 'utf8')
        await rm(join(folder, found))
        return Number(BigInt(nanoseconds.trim()) / 1_000n) / 1_000
      }
      throw new Error('no agent began within a minute')
    },
  }
}

interface Relay {
  url: string
  /** Where deliveries go on to. */
  target: string
  /** Returns when the delivery of this issue's label came. */
  labelled(issue: number): number
  close(): Promise<void>
}

/** Stands where the forge's hook points, notes when a label's delivery is there, and passes each on as it came. */
async function openRelay(): Promise<Relay> {
  const came = new Map<number, number>()
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const { action, issue } = JSON.parse(body.toString('utf8'))
    if (action === 'labeled') came.set(issue.number, Date.now())
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers
    const passed = relay.target
      ? await fetch(relay.target, { method: 'POST', headers: headers as Record<string, string>, body }).catch(() => undefined)
      : undefined
    response.writeHead(passed?.status ?? 502).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const relay: Relay = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    target: '',
    labelled: (issue) => came.get(issue) ?? Number.NaN,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return relay
}

async function hook(stand: Stand, at: StandRepository, url: string): Promise<void> {
  const config = { url, secret: SECRET, content_type: 'json' }
  await stand.as('owner')('POST', `/repos/${at.fullName}/hooks`, { name: 'web', active: true, events: ['issues'], config })
}

/** Notes when it began, reads its task, changes a file. */
const AGENT = `#!/bin/sh
date +%s%N > "$1/$$.new" && mv "$1/$$.new" "$1/$$"
cat > /dev/null
echo work > "work-$$.txt"
`

/** What the peer expects of its agent besides. */
const AGENT_COMMITS = `git add --all && git commit --quiet -m Work
echo '{"type":"result","result":"<promise>COMPLETE</promise>"}'
`

const ISSUE = `---
title: One
labels: [auto]
---

Please do it.
`

function configOf({ agent, started, forge }: { agent: string; started: string; forge: 'local' | 'github' }): string {
  return `version: 1
forge: ${forge}
remote: ${forge === 'local' ? 'null' : 'origin'}
jail: off
agent: worker
agents:
  worker: { command: [sh, ${agent}, ${started}], dialect: text }
commands: { test: [git, --version] }
github: { writeEveryMs: 0 }
drive: { pollMs: ${forge === 'local' ? 100 : 3600000} }
`
}
