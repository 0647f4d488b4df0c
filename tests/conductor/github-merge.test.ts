import { describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { systemClock } from '../../core/clock.ts'
import { openTerminal } from '../bin/terminal.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { CONFIG, standLine } from './stand-line.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 7)
/** Whether one of these longer tests is run: all of them in the full tier, otherwise at most one, drawn by the seed. */
const isDrawn = (at: number) => FULL || SEED % 16 === at
const LONG = { timeout: 600_000 }

let stand: Stand

ownStand((opened) => {
  stand = opened
})

const WRONG = { 'value.txt': 'wrong', 'notes.txt': 'begin\n' }
const NOTHING_LEFT = { here: ['refs/heads/main'], there: ['refs/heads/main'], worktrees: 1 }
const by = (method: string) => `${CONFIG}  merge: ${method}\n`

describe(`a change that comes in by each of the three ways (seed ${SEED})`, () => {
  it.each(['merge', 'squash', 'rebase'].filter((_, at) => isDrawn(at)))(
    '%s is observed, and branch and worktree go without anything being lost',
    LONG,
    async (method) => {
      const line = await standLine(stand, `by-${method}`, WRONG, by(method))
      const issue = await line.issue('Mend it', ['auto', 'recipe:mend'])
      await drive(line.ports, { once: true, merge: 'person' })
      const head = (await line.at.head(`phase/build_${issue}`)) as string
      // The base moves, so that the branch holds a merge of it when it comes in.
      const moved = await line.at.push({ 'other.txt': 'other\n' })
      expect(await drive(line.ports, { once: true, merge: 'auto' })).toMatchObject({ outcome: 'done' })
      const { git } = line.at
      expect(await git.text(['show', 'main:value.txt'])).toBe('right')
      expect(await git.text(['show', 'main:other.txt'])).toBe('other')
      const isAncestor = (commit: string) => git.succeeds(['merge-base', '--is-ancestor', commit, 'main'])
      expect([await isAncestor(moved), await isAncestor(head)]).toEqual([true, method === 'merge'])
      const merges = (await git.text(['rev-list', '--merges', 'main'])).split('\n').filter((id) => id !== '')
      expect(merges.length > 0).toBe(method === 'merge')
      expect(await line.pulls()).toMatchObject([{ merged: true, merge_commit_sha: await line.at.head() }])
      expect(await line.leftovers()).toEqual(NOTHING_LEFT)
    },
  )

  it.runIf(isDrawn(3))('keeps a branch to which somebody has pushed after it came in', LONG, async () => {
    const line = await standLine(stand, 'pushed-late', WRONG, by('squash'))
    const issue = await line.issue('Mend it', ['auto', 'recipe:mend'])
    const branch = `phase/build_${issue}`
    await drive(line.ports, { once: true, merge: 'person' })
    const [{ number }] = await line.pulls()
    await stand.as('rita')('PUT', `/repos/${line.at.fullName}/pulls/${number}/merge`, { merge_method: 'squash' })
    const late = await line.at.push({ 'late.txt': 'not yet in\n' }, { branch })
    await drive(line.ports, { once: true, merge: 'person' })
    expect(await line.at.head(branch)).toBe(late)
    expect(await line.leftovers()).toMatchObject({ worktrees: 1, there: ['refs/heads/main', `refs/heads/${branch}`] })
    expect(line.told.join('\n')).toContain(`${branch} on origin is kept: it holds commits that are not on main`)
  })
})

/** An agent that mends at the first attempt, and adds a note at each further one. */
const SCRIPT = `turns:
  - attempt: 1
    steps: [{ do: write, path: value.txt, content: right }]
  - steps: [{ do: append, path: notes.txt, content: "attempt {attempt}\\n" }]
`

describe('a base that is entered through a merge queue', () => {
  it.runIf(isDrawn(4))('is entered by it, and what is put out by its checks comes back as another attempt', LONG, async () => {
    const line = await standLine(stand, 'queue', { ...WRONG, '.valuetrain/scripted.yaml': SCRIPT })
    line.at.protect('main', { queue: true })
    const issue = await line.issue('Mend it', ['auto', 'agent:scripted'])
    const look = async () => (await drive(line.ports, { once: true, merge: 'auto' })).issues[0]?.reasons[0]
    expect(await look()).toContain('in the merge queue of main')
    const [entry] = line.at.queue.entries()
    expect(entry?.head).toBe(await line.at.head(`phase/build_${issue}`))
    // What CI does on the group, by the job that `init --ci github` writes.
    await line.ports.repository.git.run(['fetch', '--quiet', 'origin', '+refs/heads/*:refs/remotes/origin/*'])
    const judge = ['check', '--base', (await line.at.head()) as string, '--head', entry?.group as string, '--json']
    const judged = await openTerminal({ dir: line.dir, env: line.env }).run(...judge)
    expect([judged.code, JSON.parse(judged.stdout)]).toMatchObject([0, { ok: true, head: entry?.group }])
    // A look while it stands in the queue writes nothing: a push would put it out.
    const from = stand.journal.length
    expect(await look()).toBeUndefined()
    expect(stand.journal.slice(from).filter(({ method, path }) => method !== 'GET' && path !== '/graphql')).toEqual([])
    await line.at.queue.putOut(Number(entry?.number), 'failed_checks', { 'ci/together': 'breaks what came in before' })
    await systemClock.sleep(4_100)
    expect(await look()).toContain('in the merge queue of main')
    const returned = line.written.find(({ entry }) => entry.type === 'CHANGE_RETURNED')?.entry.data
    expect(returned).toMatchObject({
      feedback: [
        {
          from: 'check',
          name: 'merge queue',
          text: 'Put out of the merge queue: failed_checks\nci/together: breaks what came in before',
        },
      ],
    })
    expect(await line.at.git.text(['show', `phase/build_${issue}:notes.txt`])).toBe('begin\nattempt 2')
    await line.at.queue.letIn()
    expect(await drive(line.ports, { once: true, merge: 'auto' })).toMatchObject({ outcome: 'done', issues: [{ issue }] })
    expect(await line.at.git.text(['show', 'main:value.txt'])).toBe('right')
    expect(await line.leftovers()).toEqual(NOTHING_LEFT)
  })
})
