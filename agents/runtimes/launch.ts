import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { TurnRequest } from '../../core/contracts/runtime.ts'
import { resolveInside } from '../../core/files.ts'
import { findProgram } from '../../core/programs.ts'
import type { AgentSpec } from '../agents.ts'
import { bringLogin } from './login.ts'

/** How an agent is started for one turn. */
export interface Launch {
  argv: string[]
  env: Record<string, string>
  /** The brief, for standard input; undefined where it is an argument. */
  input: string | undefined
  /** Folders outside the worktree that it may write. */
  writable: string[]
  /** The session that is taken up. */
  resumed: string | undefined
}

type Asked = Pick<TurnRequest, 'cwd' | 'turn' | 'brief' | 'env' | 'jail' | 'models' | 'home' | 'resume'>

/** Returns the command line and environment of an agent for one turn, and prepares the folder that is its own. */
export async function launchOf(spec: AgentSpec, env: NodeJS.ProcessEnv, request: Asked): Promise<Launch> {
  const home = spec.home === null ? undefined : request.home
  const resumed = await sessionIn(home, spec.resume.length > 0 ? request.resume : undefined)
  const fill = filling(spec, request, home, resumed)
  const slots: Readonly<Record<string, readonly string[]>> = {
    '{wiring}': request.models ? spec.wiring.args : [],
    '{naming}': spec.model === null ? [] : spec.modelArgs,
    '{resume}': resumed === undefined ? [] : spec.resume,
  }
  const args = spec.args.flatMap((arg) => slots[arg] ?? [arg])
  const filled = (set: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(set).map(([name, value]) => [name, fill(value)]))
  const passed = spec.env.flatMap((name): [string, string][] => (env[name] === undefined ? [] : [[name, env[name]]]))
  if (home !== undefined) await prepareHome(home, request.models ? filled(spec.wiring.files) : {})
  if (home !== undefined && spec.byLogin) await bringLogin(spec, env, home)
  const program = (await findProgram(spec.program, request.env)) ?? spec.program
  return {
    argv: [program, ...args.map((arg) => (arg === '{brief}' ? request.brief : fill(arg)))],
    env: {
      ...request.env,
      ...Object.fromEntries(passed),
      ...(home === undefined ? {} : { [spec.home as string]: home }),
      ...filled(spec.set),
      ...request.models?.env,
      ...(request.models ? filled(spec.wiring.set) : {}),
    },
    input: spec.args.includes('{brief}') ? undefined : request.brief,
    writable: home === undefined ? [] : [home],
    resumed,
  }
}

function filling(spec: AgentSpec, request: Asked, home: string | undefined, session: string | undefined) {
  const words: Readonly<Record<string, string>> = {
    cwd: request.cwd,
    turn: request.turn,
    sandbox: request.jail ? 'danger-full-access' : 'workspace-write',
    url: request.models?.url ?? '',
    key: request.models?.key ?? '',
    model: spec.model ?? '',
    home: home ?? '',
    session: session ?? '',
  }
  return (text: string) =>
    text.replace(/\{(cwd|turn|sandbox|url|key|model|home|session)\}/g, (_, name: string) => words[name] as string)
}

async function prepareHome(home: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 })
  for (const [name, content] of Object.entries(files)) {
    // The agent may write there, and what it left in the way may be a link to somewhere else.
    const folder = await resolveInside(home, dirname(name))
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, basename(name))
    await rm(file, { recursive: true, force: true })
    await writeFile(file, content, { mode: 0o600, flag: 'wx' })
  }
}

/** A session whose files are gone cannot be taken up; agents name those files after it. */
async function sessionIn(home: string | undefined, session: string | undefined): Promise<string | undefined> {
  if (home === undefined || session === undefined || !/^[\w-]{6,80}$/.test(session)) return undefined
  const names = await readdir(home, { recursive: true }).catch(() => [])
  return names.some((name) => name.includes(session)) ? session : undefined
}
