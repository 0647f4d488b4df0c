/**
 * L2: `status` and `check` in a repository with 10,000 finished tickets (1,000 unless `--full`), over bare node.
 *
 * The tickets are one real ticket of the first journey, copied under other numbers with their chains sealed again, so that
 * every one folds to `done`. `cold` begins without this clone's caches; `changed` has them, and a branch was moved since; `warm`
 * follows another status.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Entry } from '../core/contracts/event.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import { type Git, openGit } from '../core/git.ts'
import { headerDigest, parseSegment, renderSegment, type Segment, sealEntry, segmentOfFile } from '../sessions/index.ts'
import { type Benchmark, costOf, interleave, rowOf } from './measure.ts'

const MODEL = 'build_1'

const bench: Benchmark = async ({ full, seed, env, root, note }) => {
  const [tickets, rounds] = full ? [10_000, 11] : [1_000, 5]
  const outside = await mkdtemp(join(tmpdir(), 'vt-bench-'))
  try {
    const shim = join(root, 'bin', 'valuetrain.js')
    const journey = join(outside, 'journey')
    await costOf([process.execPath, shim, 'journey', '--keep', journey], { cwd: outside, env })
    const dir = join(journey, 'tariff')
    const git = openGit(dir, env)
    await copyTicket(git, dir, tickets)
    const empty = join(outside, 'empty.mjs')
    await writeFile(empty, '')
    note(`${tickets} tickets, ${rounds} rounds, CPU time`)
    const cost = async (...argv: string[]) => (await costOf([process.execPath, ...argv], { cwd: dir, env, okExit: [0, 1] })).cpuMs
    let moves = 0
    const samples = await interleave(
      {
        node: () => cost(empty),
        cold: async () => {
          await rm(join(dir, '.git', 'valuetrain', 'cache'), { recursive: true, force: true })
          return cost(shim, 'status', '--json')
        },
        changed: async () => {
          await git.run(['update-ref', 'refs/heads/moving', `HEAD~${++moves % 2}`])
          return cost(shim, 'status', '--json')
        },
        warm: async () => {
          await cost(shim, 'status', '--json')
          return cost(shim, 'status', '--json')
        },
        check: () => cost(shim, 'check', '--base', 'HEAD~1'),
      },
      rounds,
      seed,
    )
    const floor = { floor: samples.node }
    return [
      rowOf('bare node', 'ms CPU', samples.node),
      rowOf(`status --json, ${tickets} tickets, cold`, 'ms CPU', samples.cold, floor),
      rowOf(`status --json, ${tickets} tickets, after a change`, 'ms CPU', samples.changed, floor),
      rowOf(`status --json, ${tickets} tickets, warm`, 'ms CPU', samples.warm, floor),
      rowOf(`check of one commit, ${tickets} tickets`, 'ms CPU', samples.check, floor),
    ]
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}
export default bench

/** Commits copies of the model ticket, numbered from 1001, and one commit more for `check` to look at. */
async function copyTicket(git: Git, dir: string, count: number): Promise<void> {
  const names = (await git.text(['ls-tree', '--name-only', `HEAD:${ticketFolder(MODEL)}`]))
    .split('\n')
    .filter((name) => /\.md$/.test(name))
  const files = new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, ticketFolder(MODEL), name), 'utf8')] as const)),
  )
  const head = await git.text(['rev-parse', 'HEAD'])
  const author = 'Bench <bench@example.com> 1767225600 +0000'
  const stream = [`commit refs/heads/main\ncommitter ${author}\ndata 4\nmany\nfrom ${head}\n`]
  for (let number = 1001; number < 1001 + count; number++) {
    const ticket = `build_${number}`
    for (const [name, text] of files) {
      const copy = segmentOfFile(name)
        ? renderSegment(renumber(parseSegment(text, name), ticket, number))
        : text.replaceAll(MODEL, ticket)
      stream.push(`M 100644 inline ${ticketFolder(ticket)}/${name}\ndata ${Buffer.byteLength(copy)}\n${copy}\n`)
    }
  }
  stream.push(`commit refs/heads/main\ncommitter ${author}\ndata 3\none\nM 100644 inline one.txt\ndata 4\none\n\n`)
  await git.run(['fast-import', '--quiet', '--force'], { input: stream.join('') })
  await git.run(['read-tree', 'HEAD'])
  await git.run(['checkout-index', '--all', '--quiet', '--force'])
}

/** Returns the segment as another ticket's: the text of every entry changed, and the chain sealed anew. */
function renumber(segment: Segment, ticket: string, number: number): Segment {
  const swap = <T>(value: T): T => JSON.parse(JSON.stringify(value).replaceAll(MODEL, ticket)) as T
  const header = swap(segment.header)
  const entries: Entry[] = []
  for (const entry of segment.entries) {
    const data = swap(entry.data) as NonNullable<Entry['data']>
    if (entry.type === 'TICKET_OPENED') Object.assign((data as { issue: { number: number } }).issue, { number })
    const prev = entries.at(-1)?.hash ?? headerDigest(header)
    entries.push(sealEntry({ seq: entry.seq, id: entry.id, ts: entry.ts, type: entry.type, data: data as never, prev }) as Entry)
  }
  const { closing } = segment
  const sealed = closing ? { closing: { ...closing, head: entries.at(-1)?.hash ?? closing.head } } : {}
  return { header, entries, ...sealed, file: segment.file, findings: [] }
}
