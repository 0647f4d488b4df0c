import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { arch, homedir, platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestOf, type Json } from '../../core/canonical.ts'
import type { GateKind, GateSpec } from '../../core/contracts/gate.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside } from '../../core/files.ts'
import { relativise } from '../../core/privacy.ts'
import { runProcess } from '../../core/process.ts'
import { worktreeRoot } from '../../core/repository.ts'
import { redactSecrets } from '../../core/secrets.ts'
import { type Answer, failed, inconclusive, type JudgeContext, passed } from '../gate.ts'
import { isGuarded, runGuarded } from '../guarded.ts'

type Command = Extract<GateKind, { type: 'command' }>

/** Characters of output that a result carries; a result is a line in a session. */
const TAIL = 2_000
/** Bytes of output that are kept while a command runs. */
const KEPT = 1_000_000
const VERSION_MS = 20_000

/**
 * Judges by running a program in a clean, prepared checkout of what is judged. Only an exit code that the gate names
 * passes; a program that is not there, takes too long or is ended by a signal has said nothing.
 */
export async function judgeCommand(spec: GateSpec, kind: Command, context: JudgeContext): Promise<Answer> {
  const dir = await context.checkout()
  const cwd = await resolveInside(dir, kind.cwd ?? '.')
  return inOwnFolders(context, async (env, roots) => {
    const options = {
      cwd,
      env,
      limits: { totalMs: spec.timeoutMs, outputBytes: KEPT },
      record: context.repository.stateDir,
      ...(context.signal ? { signal: context.signal } : {}),
    }
    const run = await runGuarded(context, kind.argv, dir, options, kind.hosts)
    context.signal?.throwIfAborted()
    const tail = presentable(run.outputTail, [dir, ...roots])
    const evidence = {
      exit: run.exit,
      ...(run.signal ? { signal: run.signal } : {}),
      durationMs: Math.round(run.durationMs),
      jailed: run.jailed,
      outputDigest: run.outputDigest,
      ...(tail === '' ? {} : { outputTail: tail }),
    }
    const name = presentable(kind.argv.join(' '), [dir, ...roots]).slice(0, 200)
    if (run.missing) return inconclusive(`the program of \`${name}\` could not be found`, { evidence })
    if (run.timedOut !== undefined)
      return inconclusive(`\`${name}\` took longer than ${spec.timeoutMs / 1000} s and was ended`, { evidence })
    if (run.signal) return inconclusive(`\`${name}\` was ended by ${run.signal}`, { evidence })
    if (run.exit !== null && kind.okExit.includes(run.exit)) return passed(`\`${name}\` ended with ${run.exit}`, { evidence })
    return failed(`\`${name}\` ended with ${run.exit}${lastLine(tail)}`, { evidence })
  })
}

/** What a command gate reads besides the tree: variables that are passed on, how the checkout is prepared, and what holds it in. */
export async function commandInputs(context: JudgeContext): Promise<Record<string, Json>> {
  const { setup, inputs, cache, env, hosts } = context.config.workspace
  const passedOn = ['LANG', ...env].map((name) => [name, context.env[name] ?? null])
  return {
    env: digestOf(passedOn),
    setup: digestOf({ setup, inputs, cache, hosts }),
    jailed: await isGuarded(context),
  }
}

/**
 * Returns what identifies the toolchain: platform, architecture, and what the gate's `versions` commands print. They
 * run in an empty folder, so that nothing of the tree can answer for them.
 */
export async function toolchainOf(spec: GateSpec, context: JudgeContext): Promise<string> {
  const parts: string[] = []
  if (spec.kind.type === 'command') parts.push(`${platform()} ${arch()}`)
  if (spec.versions.length > 0) {
    await inOwnFolders(context, async (env, roots) => {
      for (const argv of spec.versions) {
        const run = await runProcess(argv, { cwd: env.HOME as string, env, limits: { totalMs: VERSION_MS } })
        const answer = run.missing ? 'not found' : run.timedOut ? 'no answer' : presentable(run.outputTail, roots)
        parts.push(`${argv.join(' ')}: ${answer}`)
      }
    })
  }
  return parts.join('\n')
}

/** Returns a command's output as it may be written down: without colours, secrets and places of this machine. */
export function presentable(output: string, roots: readonly string[]): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
  const plain = output.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '').replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '')
  const text = relativise(redactSecrets(plain.toWellFormed()).text, [...roots, homedir()]).trim()
  if (text.length <= TAIL) return text
  const cut = text.slice(-TAIL)
  return cut.slice(cut.indexOf('\n') + 1).toWellFormed()
}

/** Gives a command a home and a temporary folder of its own, both empty, and takes them away afterwards. */
async function inOwnFolders<T>(
  context: JudgeContext,
  run: (env: Record<string, string>, roots: readonly string[]) => Promise<T>,
): Promise<T> {
  const place = await mkdtemp(join(tmpdir(), 'vt-gate-'))
  try {
    const home = join(place, 'home')
    const temporary = join(place, 'tmp')
    await mkdir(home)
    await mkdir(temporary)
    const { repository, config } = context
    const roots = [place, worktreeRoot(repository, config), repository.commonDir, ...(repository.root ? [repository.root] : [])]
    return await run(environmentOf(context, home, temporary), roots)
  } finally {
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Only what the configuration lets through; a command that needs more says so there. */
export function environmentOf(
  { env, config }: Pick<JudgeContext, 'env' | 'config'>,
  home: string,
  temporary: string,
): Record<string, string> {
  const named = config.workspace.env.flatMap((name): [string, string][] => (env[name] === undefined ? [] : [[name, env[name]]]))
  if (env.PATH === undefined) {
    throw new ValuetrainError('VT_NO_PATH', 'the environment has no PATH, so no command can be found', {
      kind: 'environment',
      hint: 'start valuetrain with PATH set',
    })
  }
  return { ...Object.fromEntries(named), PATH: env.PATH, LANG: env.LANG ?? 'C.UTF-8', HOME: home, TMPDIR: temporary }
}

function lastLine(tail: string): string {
  const line = tail.split('\n').at(-1)?.trim() ?? ''
  return line === '' ? '' : `: ${line.slice(0, 200)}`
}
