import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cloneStand, type StandClone } from '../../support/github/clone.ts'
import { openStand, type Stand, type StandRepository } from '../../support/github/index.ts'

let stand: Stand

beforeAll(async () => {
  stand = await openStand()
})
afterAll(async () => {
  await stand.close()
  expect(stand.violations()).toEqual([])
})

/** Commits on a ticket's branch and pushes it; returns the head. */
async function pushTicket(clone: StandClone, ticket: string, files: Record<string, string> = { [`${ticket}.txt`]: 'done\n' }) {
  await clone.git.run(['checkout', '--quiet', '-B', `phase/${ticket}`, 'origin/main'])
  const head = await clone.commit(files, `Work ${ticket}`)
  await clone.remote.run(['push', '--quiet', 'origin', `phase/${ticket}`])
  return head
}

async function openTicket(name: string, options: Parameters<typeof cloneStand>[2] = {}) {
  const at = await stand.repository(name)
  const issue = await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, {
    title: 'Do it',
    body: 'Please',
    labels: ['auto'],
  })
  const clone = await cloneStand(stand, at, options)
  const ticket = `build_${issue.number}`
  const head = await pushTicket(clone, ticket)
  const draft = {
    ticket,
    issue: issue.number as number,
    title: 'Do it',
    body: `Closes #${issue.number}`,
    head: `phase/${ticket}`,
    base: 'main',
    draft: true,
  }
  return { at, clone, forge: clone.forge, ticket, head, draft, issue: issue.number as number }
}

async function mergeOf(clone: StandClone, at: StandRepository, ticket: string, head: string) {
  const base = (await at.head()) as string
  const tree = await clone.git.text(['merge-tree', '--write-tree', base, head])
  const merge = await clone.git.text(['commit-tree', tree, '-p', base, '-p', head, '-m', 'Merge'])
  return { ticket, into: 'main', base, head, merge }
}

describe('a pull request', () => {
  it('is opened as a draft, brought up to date, merged at the judged head, and then found as merged', async () => {
    const { at, clone, forge, ticket, head, draft, issue } = await openTicket('journey')
    const change = await forge.openChange(draft)
    expect(change).toMatchObject({ ticket, headCommit: head, base: 'main', draft: true, state: 'open' })
    const ready = await forge.updateChange(change, {
      title: 'Do it well',
      draft: false,
      labels: ['role: dev'],
      reviewers: ['rita'],
    })
    expect(ready).toMatchObject({ id: change.id, title: 'Do it well', draft: false })
    expect(await forge.observeChange(change)).toMatchObject({
      mergeable: 'clean',
      baseCommit: await at.head(),
      checks: [],
      reviews: [],
    })
    const outcome = await forge.merge(await mergeOf(clone, at, ticket, head))
    expect(outcome).toEqual({ outcome: 'merged', commit: await at.head() })
    expect(await forge.findChange(`phase/${ticket}`)).toMatchObject({ id: change.id, state: 'merged' })
    expect((await forge.readIssue(issue)).state).toBe('closed')
  })

  it.each([
    { how: 'answers 502', fault: { status: 502 } },
    { how: 'cuts the connection', fault: { cut: true } },
  ])('is there once when the forge makes it and $how', async ({ fault, how }) => {
    const { at, forge, draft } = await openTicket(`once-${how.slice(0, 4).trim()}`)
    stand.fault({ on: `POST /repos/${at.fullName}/pulls`, when: 'after', ...fault })
    const change = await forge.openChange(draft)
    const again = await forge.openChange(draft)
    expect(again.id).toBe(change.id)
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/pulls?state=all`)).toHaveLength(1)
  })

  it('is not merged when the base has moved, the head is another, or the branch is protected', async () => {
    const { at, clone, forge, ticket, head, draft } = await openTicket('moved')
    await forge.openChange({ ...draft, draft: false })
    const order = await mergeOf(clone, at, ticket, head)
    expect(await forge.merge({ ...order, head: order.base })).toMatchObject({ outcome: 'waiting' })
    at.protect('main', { checks: ['valuetrain/tests'] })
    expect(await forge.merge(order)).toMatchObject({
      outcome: 'waiting',
      reason: 'forge-refused: Required status check "valuetrain/tests" is expected.',
    })
    const moved = await at.push({ 'other.txt': 'x\n' })
    expect(await forge.merge(order)).toEqual({ outcome: 'moved', base: moved })
  })

  it('tells reviews with the permission of their authors, and checks that are not ours', async () => {
    const { at, forge, head, draft } = await openTicket('reviews')
    const change = await forge.openChange({ ...draft, draft: false })
    await stand.as('rita')('POST', `/repos/${at.fullName}/pulls/${change.id}/reviews`, { event: 'APPROVE', body: 'good' })
    at.setStatus(head, 'ci/test', 'failure', '3 tests failed')
    await forge.reportGates(head, [{ gate: 'tests', standing: 'pass', description: 'all 12 passed' }], {
      title: '1 gate passes',
      text: '',
    })
    const standing = await forge.observeChange(change)
    expect(standing.reviews).toMatchObject([
      { login: 'rita', permission: 'write', state: 'approved', commit: head, body: 'good' },
    ])
    expect(standing.checks).toEqual([{ name: 'ci/test', state: 'failure', text: '3 tests failed', location: '' }])
  })
})

describe('reports of gates with a token', () => {
  it('are one status each and one summary, and are written again only when they change', async () => {
    const { at, forge, head } = await openTicket('statuses')
    const reports = [
      { gate: 'tests', standing: 'pass' as const, description: 'x'.repeat(300) },
      { gate: 'lint', standing: 'fail' as const, description: 'two findings\nin a.ts' },
    ]
    const summary = { title: '1 of 2 gates passes', text: 'lint fails' }
    await forge.reportGates(head, reports, summary)
    expect(at.statuses(head).sort((a, b) => a.context.localeCompare(b.context))).toEqual([
      { context: 'valuetrain', state: 'failure', description: '1 of 2 gates passes', login: 'pilot' },
      { context: 'valuetrain/lint', state: 'failure', description: 'two findings in a.ts', login: 'pilot' },
      { context: 'valuetrain/tests', state: 'success', description: `${'x'.repeat(139)}…`, login: 'pilot' },
    ])
    const from = stand.journal.length
    await forge.reportGates(head, reports, summary)
    expect(stand.journal.slice(from).filter(({ method }) => method === 'POST')).toEqual([])
  })
})

describe('issues', () => {
  it('are listed without pull requests, opened once, related, and closed', async () => {
    const { forge, draft, issue } = await openTicket('issues')
    await forge.openChange(draft)
    const child = await forge.openIssue({
      title: 'Then this',
      body: 'More',
      labels: ['auto'],
      blockedBy: [issue],
      parent: issue,
      key: 'k1',
    })
    const same = await forge.openIssue({
      title: 'Then this',
      body: 'More',
      labels: ['auto'],
      blockedBy: [issue],
      parent: issue,
      key: 'k1',
    })
    expect(same.number).toBe(child.number)
    const listed = await forge.listIssues()
    expect(listed.map(({ number, blockedBy, parent, hold }) => ({ number, blockedBy, parent, hold }))).toEqual([
      { number: issue, blockedBy: [], parent: undefined, hold: undefined },
      { number: child.number, blockedBy: [issue], parent: issue, hold: undefined },
    ])
    expect((await forge.closeIssue(issue)).state).toBe('closed')
    expect((await forge.listIssues()).map(({ number, blockedBy }) => [number, blockedBy])).toEqual([[child.number, []]])
  })

  it('are commented on once for a key, and labels and assignment show their standing', async () => {
    const { at, forge, issue } = await openTicket('talk')
    stand.fault({ on: /POST .*\/comments$/, when: 'after', cut: true })
    await forge.comment(issue, 'blocked:1', 'It is blocked')
    await forge.comment(issue, 'blocked:1', 'It is blocked')
    await forge.comment(issue, 'blocked:2', `Long ${'y'.repeat(70_000)}`)
    expect(await stand.as('owner')('GET', `/repos/${at.fullName}/issues/${issue}/comments`)).toHaveLength(2)
    const before = new Date(Date.now() - 60_000).toISOString()
    await stand.as('rita')('POST', `/repos/${at.fullName}/issues/${issue}/comments`, { body: '/pause' })
    expect(await forge.listComments(before)).toMatchObject([
      { number: issue, login: 'rita', permission: 'write', body: '/pause' },
    ])
    await forge.show(issue, { add: ['in work 🚂', 'a/b: c'], remove: ['nothing'], assign: true })
    await forge.show(issue, { remove: ['a/b: c'], assign: true })
    expect(await forge.readIssue(issue)).toMatchObject({ labels: ['auto', 'in work 🚂'], assignees: ['pilot'] })
    await forge.show(issue, { assign: false })
    expect((await forge.readIssue(issue)).assignees).toEqual([])
  })
})
