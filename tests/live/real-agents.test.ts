import { execFile } from 'node:child_process'
import { access, mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { LLMock } from '@copilotkit/aimock'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { KNOWN_AGENTS } from '../../agents/index.ts'
import { census } from '../../core/census.ts'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { probeJail } from '../../core/jail-probe.ts'
import { picoOf, usdOf } from '../../core/money.ts'
import { openTerminal, type Terminal } from '../bin/terminal.ts'
import { cloneStand } from '../support/github/clone.ts'
import { openStand } from '../support/github/index.ts'
import { makeRepository } from '../support/repository.ts'

/**
 * Real agents against a scripted model, through the whole command line: `npm run test:agents`. Each agent is put into a folder
 * of its own outside this repository, once; nothing but the package registry is reached.
 */
const AGENTS = {
  claude: { install: '@anthropic-ai/claude-code@2.1.329', model: 'claude-haiku-4-5', path: '/v1/messages' },
  codex: { install: '@openai/codex@0.169.0', model: 'gpt-5', path: '/v1/responses' },
} as const
type Id = keyof typeof AGENTS

// A whole run takes ten seconds on an idle machine, and a minute on one that is busy.
vi.setConfig({ testTimeout: 300_000 })

const FOLDER = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'valuetrain-test-agents')
const { ready: hasJail, why } = await probeJail(process.env)
const WAYS = (Object.keys(AGENTS) as Id[]).flatMap((id) =>
  (hasJail ? ['required', 'off'] : ['off']).map((jail) => ({ id, jail })),
)
const bins: Partial<Record<Id, string>> = {}
let mock: LLMock

beforeAll(async () => {
  if (!hasJail) process.stderr.write(`not tried in a jail: ${why}\n`)
  for (const id of Object.keys(AGENTS) as Id[]) bins[id] = await installed(id)
  mock = new LLMock({ port: 0 })
  await mock.start()
  // Codex makes no sandbox of its own where its folder lies under the system's temporary one.
  process.env.TMPDIR = join(FOLDER, 'work')
  await mkdir(process.env.TMPDIR, { recursive: true })
}, 600_000)
afterAll(() => mock?.stop())
beforeEach(() => {
  mock.clearFixtures()
  mock.clearRequests()
})

async function installed(id: Id): Promise<string> {
  const folder = join(FOLDER, AGENTS[id].install.replace(/[^\w.@-]/g, '+'))
  const bin = join(folder, 'node_modules', '.bin')
  const isThere = await access(join(bin, id)).then(
    () => true,
    () => false,
  )
  if (isThere) return bin
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'package.json'), '{"private":true}')
  await promisify(execFile)('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', AGENTS[id].install])
  return bin
}

const USAGE = { input: 1_000, output: 50 }
const usage = {
  prompt_tokens: USAGE.input,
  completion_tokens: USAGE.output,
  input_tokens: USAGE.input,
  output_tokens: USAGE.output,
}
/** Dollars a million tokens, of the price book, for the two models. */
const USD = { claude: { input: 1, output: 5 }, codex: { input: 1.25, output: 10 } }

/** A command line as the agent's own tool for command lines takes it. */
function shell(id: Id, command: string) {
  const [name, args] = id === 'claude' ? ['Bash', { command, description: 'a command' }] : ['exec_command', { cmd: command }]
  return { toolCalls: [{ name, arguments: JSON.stringify(args) }], usage }
}

interface Place {
  dir: string
  terminal: Terminal
  run(): Promise<{ code: number; out: string }>
  /** What the model server billed by its own journal, in US dollars. */
  billedUsd(): number
  metered(): Promise<{ costUsd: number; calls: number; tokensIn: number; tokensOut: number; unknown: number }>
}

function configOf(id: Id, jail: string) {
  return {
    version: 1,
    jail,
    commands: { test: ['sh', '-c', 'test "$(cat value.txt)" = right'] },
    agents: { [id]: { model: AGENTS[id].model } },
    models: {
      openai: { url: mock.url, key: 'MY_KEY', prices: 'openai' },
      anthropic: { url: mock.url, key: 'MY_KEY', prices: 'anthropic' },
    },
    budgets: { ticket: 20 },
  }
}

function environment(id: Id, env: NodeJS.ProcessEnv) {
  return { ...env, PATH: `${bins[id]}${delimiter}${env.PATH}`, MY_KEY: 'key-of-the-provider', TMPDIR: '/tmp' }
}

async function place(id: Id, jail: string, more: object = {}): Promise<Place> {
  const config = { ...configOf(id, jail), ...more }
  const repository = await makeRepository({ 'value.txt': 'wrong', '.valuetrain/config.yaml': JSON.stringify(config) })
  const env = environment(id, repository.env)
  const terminal = openTerminal({ dir: repository.dir, env, clock: systemClock, ids: systemIds(systemClock) })
  await terminal.run('issue', 'new', '--title', 'Mend it', '--label', 'auto')
  return {
    dir: repository.dir,
    terminal,
    async run() {
      const ran = await terminal.run('run', '1', '--agent', id, '--merge', 'auto')
      return { code: ran.code, out: ran.stdout + ran.stderr }
    },
    billedUsd() {
      const billed = mock
        .getRequests()
        .filter(({ path, response }) => path.split('?')[0] === AGENTS[id].path && response.status === 200).length
      return usdOf(
        (picoOf(USD[id].input / 1e6) * BigInt(USAGE.input) + picoOf(USD[id].output / 1e6) * BigInt(USAGE.output)) *
          BigInt(billed),
      )
    },
    metered: async () => JSON.parse((await terminal.run('cost', 'report', '--json')).stdout).total,
  }
}

/** Processes whose command line holds a word. */
async function running(word: string): Promise<string[]> {
  const lines = await Promise.all((await census()).map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(word))
}

describe.each(WAYS)('real $id, jail $jail', ({ id, jail }) => {
  it('has the version that its entry was seen to work with', async () => {
    const { terminal } = await place(id, jail)
    const { agents } = JSON.parse((await terminal.run('agents', 'list', '--json')).stdout)
    const found = agents.find((agent: { id: string }) => agent.id === id)
    const known = KNOWN_AGENTS.find((spec) => spec.id === id)?.versions.known ?? []
    expect([found.ready, known.some((version) => found.why.includes(version))]).toEqual([true, true])
  })

  it('fixes an issue to the end, through gates and merge, and costs what the model server’s journal says', async () => {
    mock.on({ predicate: ({ messages }) => !messages.some(({ role }) => role === 'tool') }, shell(id, 'printf right > value.txt'))
    mock.on({ predicate: () => true }, { content: 'It is right now.', usage })
    const { run, metered, billedUsd, terminal, dir } = await place(id, jail)
    const ran = await run()
    expect({ ...ran, out: ran.code === 0 ? '' : ran.out }).toEqual({ code: 0, out: '' })
    expect(await readFile(join(dir, 'value.txt'), 'utf8')).toBe('right')
    const total = await metered()
    const billed = mock.getRequests().filter(({ response }) => response.status === 200).length
    expect(billed).toBeGreaterThanOrEqual(2)
    expect(total).toMatchObject({ calls: billed, tokensIn: billed * USAGE.input, tokensOut: billed * USAGE.output, unknown: 0 })
    expect(total.costUsd).toBe(billedUsd())
    const log = (await terminal.run('session', 'show', 'build_1')).stdout
    expect(log).not.toContain('key-of-the-provider')
  })

  it('fixes an issue of GitHub to its merged pull request, with a status for each gate and the cost in its text', async () => {
    mock.on({ predicate: ({ messages }) => !messages.some(({ role }) => role === 'tool') }, shell(id, 'printf right > value.txt'))
    mock.on({ predicate: () => true }, { content: 'It is right now.', usage })
    const stand = await openStand()
    onTestFinished(() => stand.close())
    const at = await stand.repository('mend', {
      'value.txt': 'wrong',
      '.valuetrain/config.yaml': JSON.stringify({
        ...configOf(id, jail),
        ...{ forge: 'github', remote: 'origin', github: { writeEveryMs: 0 } },
      }),
    })
    const owner = stand.as('owner')
    const issue = await owner('POST', `/repos/${at.fullName}/issues`, { title: 'Mend it', body: 'Please', labels: ['auto'] })
    const clone = await cloneStand(stand, at)
    const env = { ...environment(id, clone.env), VALUETRAIN_GITHUB_TOKEN: stand.token('pilot') }
    const terminal = openTerminal({ dir: clone.dir, env, clock: systemClock, ids: systemIds(systemClock) })
    const ran = await terminal.run('run', String(issue.number), '--agent', id, '--merge', 'auto')
    expect({ ...ran, stdout: ran.code === 0 ? '' : ran.stdout }).toEqual({ code: 0, stdout: '', stderr: expect.any(String) })
    const pulls = await owner('GET', `/repos/${at.fullName}/pulls?state=all`)
    expect(pulls).toHaveLength(1)
    expect(pulls[0]).toMatchObject({ state: 'closed', draft: false, title: 'Mend it' })
    expect(pulls[0].body).toContain('## Cost')
    const said = at.statuses(pulls[0].head.sha)
    expect(said.find(({ context }) => context === 'valuetrain/test')).toMatchObject({ state: 'success' })
    expect(said.filter(({ state }) => state !== 'success')).toEqual([])
    expect(await at.git.text(['show', 'main:value.txt'])).toBe('right')
    const billed = mock.getRequests().filter(({ response }) => response.status === 200).length
    const total = JSON.parse((await terminal.run('cost', 'report', '--json')).stdout).total
    expect(total).toMatchObject({ calls: billed, tokensIn: billed * USAGE.input, tokensOut: billed * USAGE.output, unknown: 0 })
    expect(stand.violations()).toEqual([])
  })

  it('fails when the model only fails, with nothing delivered', async () => {
    mock.on({ predicate: () => true }, { error: { message: 'no such thing', type: 'invalid_request_error' }, status: 400 })
    const { run, terminal, dir } = await place(id, jail, { attempts: 1 })
    const { code, out } = await run()
    expect([code, await readFile(join(dir, 'value.txt'), 'utf8')]).toEqual([1, 'wrong'])
    expect(out).toMatch(/blocked {2}issue 1/)
    expect((await terminal.run('session', 'log', 'build_1')).stdout).toMatch(/turn failed/)
  })

  it('is killed with all it started when its time is over', async () => {
    const word = jail === 'off' ? `9876${id.length}1` : `9876${id.length}2`
    mock.on({ predicate: () => true }, shell(id, `echo begun > begun.txt; sleep ${word}`))
    const { run, terminal } = await place(id, jail, { attempts: 1, limits: { totalMs: 12_000 } })
    const { code } = await run()
    expect([code, await running(word)]).toEqual([1, []])
    expect((await terminal.run('session', 'log', 'build_1')).stdout).toMatch(/turn timed-out/)
  })

  it('takes up its own session at the next attempt', async () => {
    let asked = 0
    const said: string[] = []
    mock.on({ predicate: () => true }, (request) => {
      said.push(JSON.stringify(request.messages))
      asked += 1
      if (asked === 1) return shell(id, 'printf almost > value.txt')
      if (asked === 2) return { content: 'The first try is written.', usage }
      if (asked === 3) return shell(id, 'printf right > value.txt')
      return { content: 'The second try is written.', usage }
    })
    const { run } = await place(id, jail)
    const ran = await run()
    expect({ ...ran, out: ran.code === 0 ? '' : ran.out }).toEqual({ code: 0, out: '' })
    // The first request of the second attempt holds what was said in the first one.
    expect(said[2]).toContain('The first try is written.')
    expect(said[2]).toContain('What went wrong at attempt 1')
  })
})
