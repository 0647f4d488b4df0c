import { describe, expect, it } from 'vitest'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const config = (agents: object, more: object = {}) => ({ '.valuetrain/config.yaml': JSON.stringify({ agents, ...more }) })
const shell = (script: string) => ({ command: ['sh', '-c', script] })

describe('agents list', () => {
  it('names what the configuration adds first, and whether each is here', async () => {
    const files = config({ mine: shell('true'), gone: { command: ['no-such-agent'], protocol: 'acp' } })
    const { code, stdout } = await openTerminal(await makeRepository(files)).run('agents', 'list', '--json')
    const { agents } = JSON.parse(stdout)
    const named = (id: string) => agents.find((agent: { id: string }) => agent.id === id)
    expect(code).toBe(0)
    expect([named('mine').ready, named('gone').why]).toEqual([true, 'there is no `no-such-agent` on PATH'])
    expect(agents.map(({ id }: { id: string }) => id)).toEqual(
      expect.arrayContaining(['recipe', 'person', 'claude', 'codex', 'claude-acp']),
    )
  })
})

describe('agents test', () => {
  it('lets an agent that only the configuration names do one task, in a jail where there is one', async () => {
    const repository = await makeRepository(config({ mine: shell('echo valuetrain > hello.txt'), lazy: shell('true') }))
    const terminal = openTerminal(repository)
    const good = await terminal.run('agents', 'test', 'mine', '--json')
    const { agent, ok, jailed } = JSON.parse(good.stdout)
    expect([good.code, agent, ok, typeof jailed]).toEqual([0, 'mine', true, 'boolean'])
    const bad = await terminal.run('agents', 'test', 'lazy', '--no-jail')
    expect([bad.code, bad.stdout]).toEqual([
      1,
      'lazy does not work here, without a jail: lazy says it is done and has changed nothing\n',
    ])
  }, 30_000)

  it('says what is wrong with a name', async () => {
    const terminal = openTerminal(await makeRepository())
    const unknown = await terminal.run('agents', 'test', 'cloude')
    expect([unknown.code, unknown.stderr.includes('there is no agent "cloude" (did you mean "claude"?)')]).toEqual([2, true])
  })
})
