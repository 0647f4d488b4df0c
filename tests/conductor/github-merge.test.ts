import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { openStand, type Stand } from '../support/github/index.ts'
import { CONFIG, standLine } from './stand-line.ts'

const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 7)
/** Whether one of these longer tests is run: all of them in the full tier, otherwise at most one, drawn by the seed. */
const isDrawn = (at: number) => FULL || SEED % 16 === at
const LONG = { timeout: 600_000 }

let stand: Stand

beforeAll(async () => {
  stand = await openStand()
})
afterAll(async () => {
  await stand.close()
  expect(stand.violations()).toEqual([])
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
