import { describe, expect, it } from 'vitest'
import { commandIn } from '../../conductor/forge-commands.ts'
import { keepListening, listen } from '../../conductor/listen.ts'
import { runIssue } from '../../conductor/run.ts'
import { findTickets } from '../../conductor/sources.ts'
import { systemClock } from '../../core/clock.ts'
import { openRepository } from '../../core/repository.ts'
import { cloneStand } from '../support/github/clone.ts'
import { ownStand, type Stand } from '../support/github/index.ts'
import { joinLine } from './line.ts'

let stand: Stand

ownStand((opened) => {
  stand = opened
})

const CONFIG = `version: 1
forge: github
remote: origin
jail: off
checkIns: [before-work]
recipes:
  mend: [[sh, -c, 'printf right > value.txt']]
`

/** A ticket on GitHub that has asked its operator whether it may begin. */
async function waiting(name: string) {
  const at = await stand.repository(name, { 'value.txt': 'wrong', '.valuetrain/config.yaml': CONFIG })
  const labels = ['auto', 'recipe:mend']
  const issue = await stand.as('owner')('POST', `/repos/${at.fullName}/issues`, { title: 'Mend it', body: 'Please', labels })
  const clone = await cloneStand(stand, at, { clock: systemClock })
  const access = await clone.forge.gitAccess()
  const repository = await openRepository(clone.dir, { ...clone.env, ...access.env })
  const line = await joinLine(clone, { forge: clone.forge, repository })
  expect(await runIssue(line.ports, { issue: issue.number })).toMatchObject({ outcome: 'waiting' })
  const say = (login: string, body: string) =>
    stand.as(login)('POST', `/repos/${at.fullName}/issues/${issue.number}/comments`, { body })
  const replies = async (): Promise<string[]> =>
    (await stand.as('owner')('GET', `/repos/${at.fullName}/issues/${issue.number}/comments`))
      .filter(({ user, body }: { user: { login: string }; body: string }) => user.login === 'pilot' && body.includes('<!--'))
      .map(({ body }: { body: string }) => body.split('\n')[0])
  const ticket = async () => (await findTickets(repository, clone.config))[0]
  return { line, forge: clone.forge, say, replies, ticket, close: () => access.close() }
}

describe('a word on the forge', () => {
  it('is obeyed when its author may write, once, with who and what they could; others are not heard', async () => {
    const { line, forge, say, replies, ticket, close } = await waiting('commands')
    const heard = new Set<string>()
    await say('stranger', '/approve')
    await say('reader', '/abort')
    await say('rita', 'I would not `/abort` this.\n\n> /abort\n\n```\n/abort\n```')
    await say('rita', '/status')
    await listen(line.ports, forge, heard)
    expect(await replies()).toEqual(['`build_1` is waiting, phase build, attempt 1 of 3: Work on phase build begins.'])
    await say('rita', 'Looks right to me.\n/approve')
    // The account that the pilot uses is a person's, too.
    await say('pilot', '/pause not today')
    await say('rita', '/approve nonsense')
    await listen(line.ports, forge, heard)
    // Another program, which has heard nothing yet.
    await listen(line.ports, forge, new Set())
    const said = (await ticket())?.session.entries.filter(({ data }) => data?.via !== undefined)
    expect(said?.map(({ type, data }) => [type, data?.via, data?.actor.name])).toEqual([
      ['CHECK_IN_ANSWERED', { id: expect.stringMatching(/^comment-\d+$/), login: 'rita', permission: 'write' }, 'rita'],
      ['PAUSED', { id: expect.stringMatching(/^comment-\d+$/), login: 'pilot', permission: 'write' }, 'pilot'],
    ])
    expect(await replies()).toEqual([
      '`build_1` is waiting, phase build, attempt 1 of 3: Work on phase build begins.',
      'build_1 goes on after "before-work".',
      'build_1 is paused.',
      expect.stringContaining('This was not done: the present phase asks no gate or item "nonsense"'),
    ])
    await close()
  })

  it('is heard while the queue is worked, and the network may go for a while', async () => {
    const { line, forge, say, ticket, close } = await waiting('patience')
    const told: string[] = []
    const ears = await keepListening({ ...line.ports, onProgress: (_, text) => told.push(text) }, forge, 20)
    await say('rita', '/take')
    while ((await ticket())?.state.status !== 'paused') await systemClock.sleep(20)
    await ears.close()
    expect((await ticket())?.state.ledger.stopped).toContain('rita has taken it over')
    await close()
  })
})

describe('a command in a comment', () => {
  it.each([
    ['/pause', { name: 'pause', text: '' }],
    ['Thanks!\r\n\r\n/abort  not wanted any more \r\n', { name: 'abort', text: 'not wanted any more' }],
    ['/approve review-gate\n/abort', { name: 'approve', text: 'review-gate' }],
    [' /pause', undefined],
    ['/paused', undefined],
    ['> /pause', undefined],
    ['say /pause', undefined],
    ['````\n```\n/pause\n```\n````', undefined],
    ['~~~\n/pause\n~~~\n/retry', { name: 'retry', text: '' }],
    ['```\n/pause', undefined],
    ['', undefined],
  ])('in %j is %j', (body, command) => expect(commandIn(body)).toEqual(command))
})
