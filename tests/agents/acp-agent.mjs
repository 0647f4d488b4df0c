// A small agent that speaks ACP, for tests: the brief's line `do: <what>` says how it behaves.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { agent, methods, ndJsonStream, RequestError } from '@agentclientprotocol/sdk'

const way = process.argv[2] ?? 'edit'
if (way === 'die') process.exit(3)
if (way === 'garbage') {
  process.stdout.write('this is no protocol\n\u0000\u0001\n')
  setInterval(() => {}, 1_000)
}
let cwd = ''
let loaded = false
const pending = new Map()

const app = agent({ name: 'scripted' })
  .onRequest(methods.agent.initialize, () => ({
    protocolVersion: way === 'old' ? 0 : 1,
    agentCapabilities: { loadSession: way === 'load' },
  }))
  .onRequest(methods.agent.session.new, ({ params }) => {
    if (way === 'login') throw new RequestError(-32000, 'Authentication required')
    cwd = params.cwd
    return { sessionId: 's1' }
  })
  .onRequest(methods.agent.session.load, async ({ params, client }) => {
    if (params.sessionId !== 's1') throw new RequestError(-32602, 'no such session')
    cwd = params.cwd
    const content = { type: 'text', text: 'what was said before' }
    await client.notify(methods.client.session.update, {
      sessionId: 's1',
      update: { sessionUpdate: 'agent_message_chunk', content },
    })
    loaded = true
    return {}
  })
  .onNotification(methods.agent.session.cancel, () => {
    writeFileSync(join(cwd, 'told.txt'), 'cancelled\n')
    pending.get('s1')?.({ stopReason: 'cancelled' })
  })
  .onRequest(methods.agent.session.prompt, async ({ params, client }) => {
    const { sessionId } = params
    const update = (update) => client.notify(methods.client.session.update, { sessionId, update })
    const say = (text) => update({ sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } })
    const ask = (kind) =>
      client.request(methods.client.session.requestPermission, {
        sessionId,
        toolCall: { toolCallId: 't1', title: 'a call', kind },
        options: [
          { optionId: 'x', name: 'Allow', kind: 'reject_once' },
          { optionId: 'y', name: 'Reject', kind: 'allow_once' },
        ],
      })
    switch (way) {
      case 'edit': {
        await say('working')
        await update({ sessionUpdate: 'plan', entries: [{ content: 'edit a.txt', priority: 'high', status: 'pending' }] })
        const { outcome } = await ask('edit')
        if (outcome.optionId === 'y') writeFileSync(join(cwd, 'a.txt'), 'edited\n')
        const content = [{ type: 'diff', path: join(cwd, 'a.txt'), oldText: 'a\n', newText: 'edited\n' }]
        await update({
          sessionUpdate: 'tool_call_update',
          toolCallId: 't1',
          kind: 'edit',
          title: 'a.txt',
          status: 'completed',
          content,
        })
        return { stopReason: 'end_turn' }
      }
      case 'ask': {
        const { outcome } = await ask('execute')
        await say(`answer ${outcome.optionId}`)
        return { stopReason: 'end_turn' }
      }
      case 'files': {
        const tried = []
        for (const path of process.argv.slice(3)) {
          const done = await client.request(methods.client.fs.writeTextFile, { sessionId, path, content: 'planted\n' }).then(
            () => 'written',
            (error) => `no: ${error.code}`,
          )
          tried.push(done)
        }
        const { content } = await client.request(methods.client.fs.readTextFile, { sessionId, path: join(cwd, 'a.txt') })
        await say(JSON.stringify({ tried, content }))
        return { stopReason: 'end_turn' }
      }
      case 'load':
        await say(loaded ? 'goes on' : 'begins')
        writeFileSync(join(cwd, 'a.txt'), loaded ? 'gone on\n' : 'begun\n')
        return { stopReason: 'end_turn' }
      case 'refuse':
        return { stopReason: 'refusal' }
      case 'limit':
        throw new RequestError(-32603, 'usage limit reached, resets 2031-01-02T03:04:05Z')
      case 'crash':
        writeFileSync(join(cwd, 'a.txt'), 'half\n')
        process.kill(process.pid, 'SIGKILL')
        return new Promise(() => {})
      case 'huge':
        for (let at = 0; at < 5; at++) await say('x'.repeat(1_000_000))
        writeFileSync(join(cwd, 'a.txt'), 'huge\n')
        return { stopReason: 'end_turn' }
      default:
        return new Promise((resolve) => pending.set(sessionId, resolve))
    }
  })

app.connect(ndJsonStream(Writable.toWeb(process.stdout), Readable.toWeb(process.stdin)))
if (way === 'hang' || way === 'deaf') setInterval(() => {}, 1_000)
