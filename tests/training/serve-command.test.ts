import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const TRAIN = (epochs: number) => `name: pole
algorithm: ppo
environment: CartPole-v1
evaluation: { episodes: 10 }
rules: [{ rule: threshold, at: 5 }]
settings: { totalSteps: 2048, environments: 4, rolloutSteps: 32, minibatch: 128, epochs: ${epochs}, hidden: [8], activation: relu, learningRate: 0.01 }
`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Asks again until something is there. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look().catch(() => undefined)
    if (found !== undefined) return found
    await sleep(300)
  }
}

describe('a policy that is served', () => {
  it('is held to its limits: each breach is an issue, and a rollback under load fails no request', async () => {
    const repository = await makeRepository({ 'a.yaml': TRAIN(2), 'b.yaml': TRAIN(3) })
    const stop = new AbortController()
    const terminal = openTerminal({ ...repository, clock: systemClock })
    const runs: string[] = []
    for (const file of ['a.yaml', 'b.yaml']) {
      const { stdout } = await terminal.run('train', file, '--json')
      runs.push(JSON.parse(stdout.trim().split('\n').at(-1) as string).run)
      await repository.commit({}, `Train ${file}`)
      expect(await terminal.run('policy', 'promote', runs.at(-1) as string)).toMatchObject({ code: 0 })
    }
    const port = await freePort()
    const limits = ['--p99-ms', '0.000001', '--errors', '0.1', '--usd', '0.5', '--score', '0.5']
    const served = openTerminal({ ...repository, clock: systemClock, signal: stop.signal }).run(
      ...['serve', 'pole', '--port', String(port), ...limits],
    )
    onTestFinished(() => stop.abort())
    const ask = async (route: string, body?: object) => {
      const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
      const response = await fetch(`http://127.0.0.1:${port}${route}`, sent)
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    await until(() => ask('/health'))

    // Of 120 decisions 20 fail: numbers this large leave the network no finite scores.
    const decisions = []
    for (let n = 0; n < 120; n++)
      decisions.push(await ask('/decide', { observation: n < 20 ? [3e38, -3e38, 3e38, 3e38] : [0, 0, 0, 0] }))
    expect(decisions.map(({ status }) => status)).toEqual(decisions.map((_, n) => (n < 20 ? 500 : 200)))
    for (const { body } of decisions.slice(20)) await ask('/outcome', { decision: body.decision, score: 0.25, usd: 2 })
    const opened = await until(async () => {
      const { stdout } = await terminal.run('issue', 'list', '--label', 'operate', '--json')
      const { issues } = JSON.parse(stdout) as { issues: { title: string; labels: string[] }[] }
      return issues.length < 4 ? undefined : issues
    })
    // Which limit is looked at first depends on when the server looks.
    const told = opened.map(({ title, labels }) => [
      title.replace(/ms of the champion is [\d.]+/, 'ms of the champion is N'),
      labels,
    ])
    expect(told.sort()).toEqual([
      ['Policy pole: mean cost in dollars of the champion is 2, limit 0.5', ['operate']],
      ['Policy pole: mean score of the champion is 0.25, limit 0.5', ['operate']],
      ['Policy pole: p99 latency in ms of the champion is N, limit 0.000001', ['operate']],
      ['Policy pole: share of failed requests of the champion is 0.1667, limit 0.1', ['operate']],
    ])
    const { served: split } = JSON.parse((await terminal.run('policy', 'show', 'pole', '--json')).stdout)[0]
    expect(split.champion).toEqual({ decisions: 100, keys: 100, score: 0.25, usd: 2 })
    expect((await ask('/health')).body).toMatchObject({ status: 'degraded', champion: { run: runs[1] } })

    let isBack = false
    const load = (async () => {
      const answers: { status: number; run: unknown }[] = []
      while (!isBack) {
        const { status, body } = await ask('/decide', { observation: [0, 0, 0, 0] })
        answers.push({ status, run: body.run })
        isBack = body.run === runs[0]
        await sleep(5)
      }
      return answers
    })()
    expect((await terminal.run('policy', 'rollback', 'pole', '--reason', 'too dear')).code).toBe(0)
    const answers = await load
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    expect(new Set(answers.map(({ run }) => run))).toEqual(new Set([runs[1], runs[0]]))
    stop.abort()
    const { code, stdout } = await served
    expect([code, stdout.match(/opened issue/g)?.length]).toEqual([0, 4])
    expect(stdout).toContain(`champion run ${runs[0]}, by `)
  }, 60_000)
})
