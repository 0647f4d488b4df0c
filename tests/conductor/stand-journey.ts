import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findTicket } from '../../conductor/sources.ts'
import { listLeases } from '../../core/lease.ts'
import { defaultBase } from '../../core/repository.ts'
import type { Stand } from '../support/github/index.ts'
import type { Json } from '../support/github/types.ts'
import { programOf } from '../support/program.ts'
import { type Place, placesIn } from './places.ts'
import { CONFIG, type StandLine, standLine } from './stand-line.ts'

const program = programOf(fileURLToPath(new URL('./stand-worker.ts', import.meta.url)))

/** A journey of one issue on the stand, which a program works in a process of its own. */
export interface Journey {
  files: Record<string, string>
  config: string
  labels: readonly string[]
  /** Who merges. */
  merge: 'auto' | 'person'
  /** What has happened before the part that is looked at. */
  before?(stand: Stand, line: StandLine, issue: number): Promise<void>
}

/** Requests that GitHub answers a token within an hour. */
const HOURLY = 5000

const FILES = { 'value.txt': 'wrong', 'notes.txt': 'begin\n' }

/** An issue that is mended at once, reviewed by somebody who is asked, and merged. */
export const MENDED: Journey = {
  files: FILES,
  config: CONFIG.replace(
    'forge: github',
    `  both: [[sh, -c, 'echo note >> notes.txt'], [sh, -c, 'printf right > value.txt']]
delivery:
  labels: ['from: train']
  reviewers: [rita]
forge: github`,
  ),
  labels: ['auto', 'recipe:both'],
  merge: 'auto',
}

/** An issue whose agent says something, asks for a label, for a push and for its pull request. */
export const SPOKEN: Journey = {
  files: {
    ...FILES,
    'speak.sh': `printf right > value.txt
intend '{"kind":"comment","issue":1,"text":"I have found where it is wrong."}'
intend '{"kind":"label","issue":1,"add":["looked-at"]}'
intend '{"kind":"push","branch":"phase/build_1"}'
intend '{"kind":"open-pull-request","branch":"phase/build_1","title":"Mend it","body":"It was wrong."}'
`,
  },
  config: `${CONFIG}agents:\n  talker:\n    command: [sh, speak.sh]\n`,
  labels: ['auto', 'agent:talker'],
  merge: 'auto',
}

/** An issue that no attempt solves. */
export const BLOCKED: Journey = { files: FILES, config: CONFIG, labels: ['auto', 'recipe:break'], merge: 'auto' }

/** An issue whose pull request a reviewer sends back. */
export const RETURNED: Journey = {
  files: {
    ...FILES,
    '.valuetrain/scripted.yaml': `turns:
  - attempt: 1
    steps: [{ do: write, path: value.txt, content: right }]
  - steps: [{ do: append, path: notes.txt, content: "attempt {attempt}\\n" }]
`,
  },
  config: CONFIG,
  labels: ['auto', 'agent:scripted'],
  merge: 'person',
  async before(stand, line, issue) {
    await work(stand, line, String(issue), 'person')
    const [pull] = await line.pulls()
    const review = { event: 'REQUEST_CHANGES', body: 'Say why.' }
    await stand.as('rita')('POST', `/repos/${line.at.fullName}/pulls/${pull.number}/reviews`, review)
  },
}

/**
 * Makes a repository for a journey and an issue in it. Each begins with the hourly limit whole, or the one stand would refuse
 * hundreds of journeys after seventy; what happens at the limit has tests of its own.
 */
export async function begin(stand: Stand, name: string, { files, config, labels, before }: Journey) {
  stand.setBudget(HOURLY, Math.floor(Date.now() / 1000) + 3600)
  const line = await standLine(stand, name, files, config)
  const issue = await line.issue('Mend it', labels)
  await before?.(stand, line, issue)
  return { line, issue }
}

export interface Worked {
  signal: string | undefined
  /** What happened, a kind and a name each: `sent POST /…`. */
  lines: string[]
  stderr: string
}

/**
 * Works a journey whole and returns every place at which a kill could leave something else than at the place before, in
 * the order in which they come, and every push.
 */
export async function placesOf(stand: Stand, line: StandLine, issue: number, merge: 'auto' | 'person'): Promise<Place[]> {
  await killAtPush(line, 0, 0)
  const { lines, stderr } = await work(stand, line, String(issue), merge, 'look', await placeOf(line))
  if (stderr !== '') throw new Error(stderr)
  return [...placesIn(lines), ...Array.from({ length: await pushesOf(line) }, (_, at): Place => ['pushed', at + 1])]
}

/**
 * Works an issue, or the `queue`, in a process of its own, which kills itself at a place, or which the other side of its n-th
 * push kills (`pushed n`).
 */
export async function work(
  stand: Stand,
  line: StandLine,
  what: string,
  merge: 'auto' | 'person',
  ...[when, count = 0]: [] | Place | ['look', string]
): Promise<Worked> {
  const file = await program()
  const place = when === undefined || when === 'pushed' ? [] : [when, String(count)]
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [file, line.dir, stand.token('pilot'), what, merge, ...place],
      { env: line.env, timeout: 600_000, maxBuffer: 1e8 },
      (error, stdout, stderr) => resolve({ signal: error?.signal ?? undefined, lines: stdout.trim().split('\n'), stderr }),
    )
    if (when === 'pushed') void killAtPush(line, child.pid as number, count as number)
  })
}

/** Lets the repository on the stand kill a process when refs were moved by a push for the n-th time. */
async function killAtPush(line: StandLine, pid: number, count: number): Promise<void> {
  const hook = `#!/bin/sh
echo pushed >> "$GIT_DIR/pushes"
[ "$(wc -l < "$GIT_DIR/pushes")" -eq ${count} ] && kill -9 ${pid}
exit 0
`
  await writeFile(join(await placeOf(line), 'hooks', 'post-receive'), hook, { mode: 0o755 })
}

async function pushesOf(line: StandLine): Promise<number> {
  const text = await readFile(join(await placeOf(line), 'pushes'), 'utf8')
  return text.split('\n').length - 1
}

function placeOf({ at }: StandLine): Promise<string> {
  return at.git.text(['rev-parse', '--absolute-git-dir'])
}

const COUNTED = ['TICKET_OPENED', 'WORK_COMMITTED', 'DELIVERED', 'DECIDED', 'CHANGE_INTENDED', 'CHANGE_OPENED', 'CHANGE_RETURNED']

/** Returns what must be the same however often the journey was killed. */
export async function ending(stand: Stand, line: StandLine, issue: number) {
  const base = await defaultBase(line.ports.repository, line.config)
  const found = await findTicket(line.ports.repository, `build_${issue}`, base.commit, 'origin')
  const { git } = line.at
  const owner = stand.as('owner')
  const namesOf = (list: Json[], key: string): string[] => list.map((one) => one[key])
  const works = await git.text(['log', '--format=%(trailers:key=Valuetrain-Event,valueonly)', 'main'])
  const pulls = await line.pulls()
  const comments: Json[] = await owner('GET', `/repos/${line.at.fullName}/issues/comments`)
  const { here, there, worktrees } = await line.leftovers()
  return {
    status: found?.state.status,
    refused: found?.state.refused,
    findings: found?.session.findings,
    entries: COUNTED.map((type) => [type, found?.session.entries.filter((entry) => entry.type === type).length]),
    files: { value: await git.text(['show', 'main:value.txt']), notes: await git.text(['show', 'main:notes.txt']) },
    works: works.split('\n').filter((word) => word !== '').length,
    merges: (await git.text(['rev-list', '--merges', '--count', 'main'])).trim(),
    pulls: pulls.map(({ state, merged, draft, labels, requested_reviewers: asked }) => ({
      ...{ state, merged, draft },
      labels: namesOf(labels, 'name'),
      reviewers: namesOf(asked, 'login'),
    })),
    labels: namesOf((await owner('GET', `/repos/${line.at.fullName}/issues/${issue}`)).labels, 'name'),
    comments: comments.map(({ issue_url, body }) => `${issue_url.split('/').at(-1)}: ${body.split('\n')[0]}`),
    left: {
      // A claim that was taken over leaves its number, held by nobody; what was unfinished is kept.
      here: here.filter((ref) => !ref.startsWith('refs/valuetrain/rescue/')),
      there: there.filter((ref) => !ref.startsWith('refs/valuetrain/leases/')),
      worktrees,
      leases: await listLeases(line.ports.repository, { remote: 'origin' }),
    },
  }
}
