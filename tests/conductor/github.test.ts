import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drive } from '../../conductor/drive.ts'
import { runIssue } from '../../conductor/run.ts'
import { findTicket } from '../../conductor/sources.ts'
import { defaultBase } from '../../core/repository.ts'
import { openStand, type Stand } from '../support/github/index.ts'
import { CONFIG, standLine } from './stand-line.ts'

let stand: Stand

beforeAll(async () => {
  stand = await openStand()
})
afterAll(async () => {
  await stand.close()
  expect(stand.violations()).toEqual([])
})

const RIGHT = { 'value.txt': 'right', 'notes.txt': 'begin\n' }

describe('an issue on a forge of another machine', () => {
  it('becomes one pull request that is ready when its gates have passed, and is done when the merge is observed', {
    timeout: 300_000,
  }, async () => {
    const line = await standLine(
      stand,
      'journey',
      { ...RIGHT, 'value.txt': 'wrong' },
      `${CONFIG}delivery:\n  labels: ['from: train']\n  reviewers: [rita]\n`,
    )
    const issue = await line.issue('Mend it', ['auto', 'recipe:mend'])
    const outcome = await runIssue(line.ports, { issue, merge: 'person' })
    expect(outcome).toMatchObject({ outcome: 'waiting', ticket: `build_${issue}` })
    const [pull] = await line.pulls()
    expect(outcome.reasons).toEqual([`pull request ${pull.number} waits for a person to merge it: ${pull.html_url}`])
    expect(pull).toMatchObject({ draft: false, state: 'open', title: 'Mend it' })
    expect(pull.labels.map(({ name }: { name: string }) => name)).toEqual(['from: train'])
    const head = (await line.at.head(`phase/build_${issue}`)) as string
    const statuses = line.at.statuses(head)
    expect(statuses.find(({ context }) => context === 'valuetrain')).toMatchObject({ state: 'success' })
    expect(statuses.every(({ state }) => state === 'success')).toBe(true)
    expect(statuses.length).toBeGreaterThan(5)
    expect(pull.body).toContain(`Closes #${issue}.`)
    for (const heading of ['Why', 'What', 'Evidence', 'Cost', 'Risks', 'How to review'])
      expect(pull.body).toContain(`## ${heading}`)
    expect(pull.body).not.toContain(line.dir)
    expect(line.types()).toEqual(expect.arrayContaining(['CHANGE_INTENDED', 'CHANGE_OPENED', 'DELIVERED']))

    await stand.as('owner')('PUT', `/repos/${line.at.fullName}/pulls/${pull.number}/merge`, { sha: head })
    const done = await runIssue(line.ports, { issue, merge: 'person' })
    expect(done).toMatchObject({ outcome: 'done' })
    const base = await defaultBase(line.ports.repository, line.config)
    expect((await findTicket(line.ports.repository, `build_${issue}`, base.commit, 'origin'))?.done).toBe(true)
    expect(await line.leftovers()).toEqual({ here: ['refs/heads/main'], there: ['refs/heads/main'], worktrees: 1 })
  })
})
