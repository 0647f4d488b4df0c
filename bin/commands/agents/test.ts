import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listRuntimes } from '../../../agents/index.ts'
import type { ModelCall, ModelGateway, ModelRun } from '../../../core/contracts/model.ts'
import type { Runtime, RuntimeEvent, TurnResult } from '../../../core/contracts/runtime.ts'
import { didYouMean, ValuetrainError } from '../../../core/errors.ts'
import { openGit } from '../../../core/git.ts'
import { openJail } from '../../../core/jail.ts'
import { chooseJail } from '../../../core/jail-probe.ts'
import { picoOf, usdOf } from '../../../core/money.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import type { Context } from '../../context.ts'
import { paintFor } from '../../display/paint.ts'
import { clean, counted } from '../../display/text.ts'
import { gatewayFor } from '../../models.ts'
import { configHere, openHere } from '../../wiring.ts'

const WORD = 'valuetrain'
const BRIEF = `# One small task

Write a file named \`hello.txt\` in the current folder that holds the one word ${WORD}. Change nothing else. Do not commit.
`

export default defineCommand({
  description:
    'Gives one agent one small task in a throw-away repository, with the jail the configuration asks for, and judges it as a turn is judged. The agent may call its model, which may cost money. Exit code 1 when it did not do the task.',
  examples: [{ does: 'See whether Claude Code works here', line: 'agents test claude' }],
  args: { agent: argument.text('Id of the agent.') },
  flags: { 'no-jail': flag.switch('Let it work without a jail.') },
  json: true,
  async run(context, { args, flags }) {
    const config = await configHere(context)
    const runtime = runtimeNamed(args.agent, listRuntimes({ env: context.env, script: undefined, config }))
    const { ready, why } = await runtime.probe()
    if (!ready) {
      throw new ValuetrainError('VT_AGENT_ABSENT', `agent ${runtime.id} is not ready: ${why}`, {
        kind: 'environment',
        hint: 'install it, or put it on PATH; `valuetrain agents list` shows what is here',
      })
    }
    const jail = await chooseJail(config.jail, context.env, flags['no-jail'])
    const here = await openHere(context).catch(() => undefined)
    const gateway = await gatewayFor(context, here?.repository, config)
    const { result, done, jailed, calls } = await tryAgent(context, runtime, {
      program: jail.program,
      env: config.workspace.env,
      limits: config.limits,
      gateway,
    }).finally(() => gateway.close())
    if (flags.json) {
      context.stdout.write(`${JSON.stringify({ agent: runtime.id, ok: done, jailed, result, calls })}\n`)
      return done ? 0 : 1
    }
    const paint = paintFor(context)
    const word = done ? paint.good('works') : paint.bad('does not work')
    context.stdout.write(`${paint.name(runtime.id)} ${word} here, ${jailed ? 'in' : 'without'} a jail: ${clean(result.reason)}\n`)
    if (calls.length > 0) context.stdout.write(`${counted(calls.length, 'call')} of models, ${costOf(calls)}\n`)
    return done ? 0 : 1
  },
})

function runtimeNamed(id: string, runtimes: readonly Runtime[]): Runtime {
  const agents = runtimes.filter(({ usesJail, id }) => usesJail && id !== 'recipe')
  const found = agents.find((runtime) => runtime.id === id)
  if (found !== undefined) return found
  const ids = agents.map((runtime) => runtime.id)
  throw new ValuetrainError('VT_RUNTIME_UNKNOWN', `there is no agent "${id.slice(0, 80)}"${didYouMean(id, ids)}`, {
    hint: `known: ${ids.join(', ')}`,
  })
}

/** What the calls came to, which stand in no session. */
function costOf(calls: readonly ModelCall[]): string {
  if (calls.some(({ costUsd }) => costUsd === null)) return 'at a cost that nobody knows'
  return `$${usdOf(calls.reduce((sum, { costUsd }) => sum + picoOf(costUsd ?? 0), 0n))}`
}

interface Trial {
  program: string | undefined
  env: readonly string[]
  limits: Parameters<Runtime['turn']>[0]['limits']
  gateway: ModelGateway
}

async function tryAgent(
  context: Context,
  runtime: Runtime,
  { program, env: names, limits, gateway }: Trial,
): Promise<{ result: TurnResult; done: boolean; jailed: boolean; calls: ModelCall[] }> {
  const place = await realpath(await mkdtemp(join(tmpdir(), 'vt-agent-')))
  const cwd = join(place, 'work')
  const artifacts = join(cwd, '.valuetrain/tickets/trial_1/artifacts')
  const calls: ModelCall[] = []
  let models: ModelRun | undefined
  let jail: Awaited<ReturnType<typeof openJail>> | undefined
  try {
    await mkdir(artifacts, { recursive: true })
    await writeFile(join(artifacts, '.gitkeep'), '')
    await promisify(execFile)('git', ['init', '--quiet', '--initial-branch=main', cwd], { env: context.env })
    const git = openGit(cwd, { ...context.env, ...NOBODY })
    await git.run(['add', '--all'])
    await git.run(['commit', '--quiet', '--no-gpg-sign', '-m', 'Begin'])
    const hosts = runtime.hosts ?? []
    const turn = context.ids.ulid()
    const tags = {
      ticket: 'trial_1',
      turn,
      phase: 'build',
      mode: 'build',
      role: 'studio',
      runtime: runtime.id,
      epoch: 1,
    } as const
    models = runtime.callsModels ? await gateway.open(tags, async (call) => void calls.push(call)) : undefined
    const ports = models === undefined ? [] : [Number(new URL(models.access.url).port)]
    jail = program === undefined ? undefined : await openJail({ program, worktree: cwd, artifacts, hosts, ports })
    const passed = ['PATH', 'HOME', 'LANG', ...names].flatMap((name): [string, string][] =>
      context.env[name] === undefined ? [] : [[name, context.env[name]]],
    )
    const seen: RuntimeEvent[] = []
    const result = await runtime.turn(
      {
        turn,
        ticket: 'trial_1',
        issue: 1,
        labels: [],
        phase: 'build',
        mode: 'build',
        child: undefined,
        role: 'studio',
        tools: ['read', 'write', 'run-code'],
        attempt: 1,
        brief: BRIEF,
        cwd,
        artifacts,
        recipe: undefined,
        env: { ...Object.fromEntries(passed), ...models?.access.env },
        home: join(place, 'home'),
        ...(models ? { models: models.access } : {}),
        limits,
        signal: context.signal,
        ...(jail ? { jail } : {}),
      },
      (event) => seen.push(event),
    )
    const text = await readFile(join(cwd, 'hello.txt'), 'utf8').catch(() => '')
    return { result, done: result.outcome === 'completed' && text.trim() === WORD, jailed: jail !== undefined, calls }
  } finally {
    await jail?.close()
    await models?.close()
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** The throw-away repository's first commit is by nobody in particular. */
const NOBODY = {
  GIT_AUTHOR_NAME: 'valuetrain',
  GIT_AUTHOR_EMAIL: 'valuetrain@example.invalid',
  GIT_COMMITTER_NAME: 'valuetrain',
  GIT_COMMITTER_EMAIL: 'valuetrain@example.invalid',
}
