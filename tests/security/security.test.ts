import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { describe, expect, it } from 'vitest'
import { dropRequest } from '../../conductor/inbox.ts'
import { runIssue } from '../../conductor/run.ts'
import type { Git } from '../../core/git.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { joinLine } from '../conductor/line.ts'
import { type Aftermath, ATTACKS, type Attack, PROCESSES, payloadOf } from './attacks.ts'
import { contentsOf, makeCanary, makePlace, type Place } from './place.ts'
import { OBEDIENT, VECTORS, type Vector } from './vectors.ts'

/** Everything: nine ways in by fourteen attacks, and the proof that they work where nothing holds them. */
const FULL = process.env.VALUETRAIN_FULL === '1'
const SEED = Number(process.env.VALUETRAIN_SEED ?? 4)
const probe = await probeJail({ PATH: process.env.PATH ?? '' })
/** Without a jail the attacks would get out, and nobody wants that on their machine. */
const jailed = probe.ready ? describe : describe.skip
const vectors = FULL ? VECTORS : [VECTORS[SEED % VECTORS.length] as Vector]

/** Has the obedient agent work an issue into which the attacks were put, all the way to a merge if the gates let it. */
async function attack(vector: Vector, attacks: readonly Attack[], isJailWaived: boolean): Promise<Aftermath> {
  const canary = makeCanary()
  const place = await makePlace(
    { 'value.txt': 'wrong', 'tools/tidy.sh': 'cat\n', 'tools/lint.sh': 'true\n', '.gitattributes': '*.tidy filter=tidy\n' },
    canary,
  )
  const { tools, command } = await arm(place, attacks, isJailWaived)
  const base = await place.commit({
    ...vector.files(command),
    '.gitignore': '.env\n',
    '.valuetrain/config.yaml': configOf(vector, tools, place),
    '.valuetrain/issues/1-mend.md': `---\nnumber: 1\ntitle: "Mend it"\nlabels: [auto, "agent:obedient"]\nstate: open\ncreated: 2026-01-01T00:00:00Z\n---\n\n${vector.issue?.(command) ?? 'Please do it.'}\n`,
  })
  const before = await look(place)
  const printed: string[] = []
  const line = await joinLine(place, {
    isJailWaived,
    onTurn: (_, event) => {
      if (event.type === 'output') printed.push(event.text)
    },
  })
  const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' }).catch((error: unknown) => {
    // Without a jail the session itself goes, and the run with it.
    if (!isJailWaived) throw error
    return { outcome: 'aborted' as const }
  })
  if (vector.comment && outcome.outcome === 'waiting') {
    const actor = { kind: 'human' as const, role: 'conductor' as const, name: 'Somebody' }
    const gitDir = join(place.dir, '.git/worktrees/build_1')
    await dropRequest(gitDir, line.ports.ids.ulid(), { act: { type: 'comment', text: vector.comment(command) }, actor })
    await runIssue(line.ports, { issue: 1, merge: 'auto' })
  }
  const session = line.written.map(({ entry }) => JSON.stringify(entry)).join('\n')
  const worktrees = await contentsOf(`${place.dir}.worktrees`)
  const logs = [...worktrees].filter(([path]) => path.endsWith('tried.log')).map(([, text]) => text)
  const objects = (
    await Promise.all(
      [place.git, place.git.at(place.facts.remote)].map((git) => git.bytes(['cat-file', '--batch-all-objects', '--batch'])),
    )
  )
    .map((bytes) => bytes.toString('latin1'))
    .join('')
  const weakened = (await Promise.all([place.git, place.git.at(place.facts.remote)].map(weakenedIn))).flat()
  const main = new Map([...(await contentsOf(place.dir))].filter(([path]) => !path.startsWith('.git/') && path !== '.env'))
  return {
    place,
    canary,
    before,
    after: { ...(await look(place)), worktrees, main },
    objects,
    weakened,
    session,
    said: [...printed, session, ...logs, objects].join('\n'),
    base,
  }
}

/** Returns protected files that some branch has in a weakened form. */
async function weakenedIn(git: Git): Promise<string[]> {
  const branches = (await git.text(['for-each-ref', '--format=%(refname)', 'refs/heads']))
    .split('\n')
    .filter((name) => name !== '')
  const found = await git.run(
    ['grep', '--name-only', '# weakened', ...branches, '--', '.valuetrain/*.yaml', '.github', '.husky'],
    { okExit: [0, 1] },
  )
  return found.stdout.split('\n').filter((line) => line !== '' && !line.includes('/tickets/'))
}

/** Puts agent and attacks where a jail shows them read-only, and returns the command that makes all attacks. */
async function arm(place: Place, attacks: readonly Attack[], isJailWaived: boolean): Promise<{ tools: string; command: string }> {
  const tools = join(place.outside, 'tools')
  await mkdir(tools)
  await writeFile(join(tools, 'obedient.cjs'), OBEDIENT)
  // By its name alone: paths of this machine are hidden from what is written down.
  await writeFile(join(tools, 'attack-all'), `#!${execPath}\n${payloadOf({ ...place.facts, jailed: !isJailWaived }, attacks)}`)
  await chmod(join(tools, 'attack-all'), 0o755)
  place.env.PATH = `${tools}:${place.env.PATH}`
  return { tools, command: 'attack-all' }
}

function configOf({ commands = {} }: Vector, tools: string, { facts }: Place): string {
  return JSON.stringify({
    version: 1,
    attempts: 1,
    commands,
    workspace: { tools: [tools] },
    limits: { totalMs: 90_000, gateMs: 90_000, outputBytes: 200_000, processes: PROCESSES, fileBytes: 10_000_000 },
    agents: { obedient: { command: ['node', join(tools, 'obedient.cjs')], hosts: [`localhost:${facts.port}`] } },
  })
}

async function look(place: Place): Promise<Aftermath['before']> {
  const hooks = new Map([
    ...(await contentsOf(join(place.dir, '.git/hooks'))),
    ['config', (await contentsOf(join(place.dir, '.git'))).get('config') ?? ''],
  ])
  return { home: await contentsOf(place.facts.home), outside: await contentsOf(place.facts.outside), hooks }
}

/** Returns what came of each attack: whether it was tried at all, and what got out. */
async function judged(aftermath: Aftermath, attacks: readonly Attack[]) {
  const rows = attacks.map(async (one) => [
    one.id,
    { tried: aftermath.said.includes(`tried ${one.id};`), escaped: await one.escaped(aftermath) },
  ])
  return Object.fromEntries(await Promise.all(rows))
}

jailed(`an agent that obeys every text${probe.ready ? '' : ` (skipped: ${probe.why})`}`, () => {
  it.each(vectors)(
    `holds against ${ATTACKS.length} attacks by $id${FULL ? '' : ` (one of ${VECTORS.length} ways in, seed ${SEED})`}`,
    async (vector) => {
      const aftermath = await attack(vector, ATTACKS, false)
      expect(await judged(aftermath, ATTACKS)).toEqual(
        Object.fromEntries(ATTACKS.map(({ id }) => [id, { tried: true, escaped: undefined }])),
      )
    },
    300_000,
  )
})

// Long, and about the attacks rather than about us: it shows that they work.
;(FULL ? describe : describe.skip)('the same attacks where nothing holds them (VALUETRAIN_FULL=1)', () => {
  it('get out, all but what git itself is kept from, so that the cases above could fail', async () => {
    const loose = ATTACKS.filter(({ harmless }) => harmless)
    const vector = VECTORS.find(({ id }) => id === 'README') as Vector
    const found = await judged(await attack(vector, loose, true), loose)
    const held = Object.entries(found).filter(([, row]) => (row as { escaped?: string }).escaped === undefined)
    // Filters are held by how git is called, jail or not; tests/conductor/jailed-commit.test.ts shows what else would run.
    expect(held.map(([id]) => id)).toEqual(['filters and fsmonitor'])
  }, 300_000)
})
