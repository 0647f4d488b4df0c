import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { findTickets } from '../../conductor/sources.ts'
import { defaultConfig } from '../../core/config.ts'
import { listLeases } from '../../core/lease.ts'
import { openRepository } from '../../core/repository.ts'
import { programOf } from '../support/program.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'
import { CONFIG, issueFile } from './line.ts'
import { type Place, placesIn, visit } from './places.ts'

const program = programOf(fileURLToPath(new URL('./worker.ts', import.meta.url)))
const FILES = {
  'value.txt': 'wrong',
  'notes.txt': 'begin\n',
  '.valuetrain/config.yaml': `${CONFIG}  both: [[sh, -c, 'echo note >> notes.txt'], [sh, -c, 'printf right > value.txt']]\n`,
  ...issueFile(1, 'Mend it', ['auto', 'recipe:both']),
}
const SEED = Number(process.env.VALUETRAIN_SEED ?? Math.floor(Math.random() * 1e6))

async function work(
  { dir, env }: TestRepository,
  ...args: string[]
): Promise<{ signal: string | undefined; lines: string[]; stderr: string }> {
  const file = await program()
  return new Promise((resolve) => {
    execFile(process.execPath, [file, dir, '1', ...args], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ signal: error?.signal ?? undefined, lines: stdout.trim().split('\n'), stderr })
    })
  })
}

/** What must be the same however often the run was killed: everything but ids, times and how many segments there are. */
async function ending(repository: TestRepository) {
  const { git } = repository
  const opened = await openRepository(repository.dir, repository.env)
  const [found] = await findTickets(opened, defaultConfig())
  const log = await git.text(['log', '--format=%(trailers:key=Valuetrain-Event,valueonly,separator=%x2C)', 'main'])
  const events = log.split('\n').filter((line) => line !== '')
  const counted = ['TICKET_OPENED', 'WORK_COMMITTED', 'DELIVERED', 'DECIDED', 'ARTIFACT_WRITTEN', 'PHASE_ENTERED']
  return {
    status: found?.state.status,
    stopped: found?.state.ledger.stopped,
    refused: found?.state.refused,
    findings: found?.session.findings,
    entries: counted.map((type) => [type, found?.session.entries.filter((entry) => entry.type === type).length]),
    attempts: found?.state.control.attempts,
    files: { value: await git.text(['show', 'main:value.txt']), notes: await git.text(['show', 'main:notes.txt']) },
    merges: (await git.text(['rev-list', '--merges', '--count', 'main'])).trim(),
    works: events.length,
    distinct: new Set(events).size,
    refs: await git.text(['for-each-ref', '--format=%(refname)', 'refs/heads', 'refs/valuetrain/issues']),
    // A claim of a raised epoch leaves its number behind, held by nobody.
    claims: await listLeases(opened, { remote: null }),
    worktrees: (await git.text(['worktree', 'list', '--porcelain'])).split('\n\n').length,
    dirty: await git.text(['status', '--porcelain']),
    subject: found?.state.control.subject,
  }
}

describe('a run that is killed', () => {
  it(`ends in the same state with nothing done twice, wherever it was killed (seed ${SEED})`, {
    timeout: 7_200_000,
  }, async () => {
    const whole = await makeRepository(FILES)
    const first = await work(whole, 'look')
    expect(first.stderr).toBe('')
    const expected = await ending(whole)
    expect(expected).toMatchObject({ status: 'done', merges: '1', works: 1, distinct: 1, refused: [], findings: [] })
    const all = placesIn(first.lines)
    const wrong = await visit(
      'kill',
      async () => all,
      sample(all),
      async (place) => {
        const repository = await makeRepository(FILES)
        const killed = await work(repository, ...place.map(String))
        const again = await work(repository)
        const end = await ending(repository)
        await rm(repository.outside, { recursive: true, force: true })
        const at = place.join(':')
        return {
          got: { at, signal: killed.signal, stderr: again.stderr, ...end },
          due: { at, signal: 'SIGKILL', stderr: '', ...expected },
        }
      },
    )
    expect(wrong.map(({ got }) => got)).toEqual(wrong.map(({ due }) => due))
  })
})

/** A few places, drawn by the seed. */
function sample(places: readonly Place[]): Place[] {
  let state = SEED
  const draw = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return state
  }
  return Array.from({ length: 3 }, () => places[draw() % places.length] as Place)
}
