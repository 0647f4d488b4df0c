import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import type { Config } from './config.ts'
import { ValuetrainError } from './errors.ts'
import { type Jail, openJail } from './jail.ts'
import { runProcess } from './process.ts'
import { findProgram, probeProgram } from './programs.ts'

/** Whether commands can be jailed here. */
export interface JailProbe {
  ready: boolean
  /** What it is, or why there is none and what to do. */
  why: string
  /** `bwrap`, absolute; where ready. */
  program?: string
}

/** Tells whether a jail can be built here, by building one around an empty folder and running a program in it. */
export async function probeJail(env: NodeJS.ProcessEnv): Promise<JailProbe> {
  if (process.platform !== 'linux') return { ready: false, why: `bubblewrap is for Linux, and this is ${process.platform}` }
  const program = await findProgram('bwrap', env)
  if (program === undefined) return { ready: false, why: 'there is no bwrap on PATH; install the package bubblewrap' }
  const folder = await mkdtemp(join(tmpdir(), 'vt-probe-'))
  try {
    const jail = await openJail({ program, worktree: folder })
    try {
      const { argv, env: inner } = await jail.wrap(['true'], { PATH: env.PATH ?? '' })
      const run = await runProcess(argv, { cwd: folder, env: inner, limits: { totalMs: 20_000 } })
      if (run.exit === 0) {
        const version = (await probeProgram('bwrap', env))?.version ?? 'bubblewrap'
        return { ready: true, why: version, program }
      }
      const said = run.outputTail.trim().split('\n').at(-1) ?? ''
      return { ready: false, why: `bwrap cannot build a jail here: ${said.slice(0, 200) || `exit code ${run.exit}`}` }
    } finally {
      await jail.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Returns the program to jail with as the configuration wishes, or undefined for none.
 *
 * @param isWaived whether the operator said `--no-jail`
 * @throws VT_NO_JAIL when one is required, none can be built and nobody waived it
 */
export async function chooseJail(
  wish: Config['jail'],
  env: NodeJS.ProcessEnv,
  isWaived = false,
): Promise<{ program: string | undefined; why: string }> {
  if (isWaived) return { program: undefined, why: 'the operator said --no-jail' }
  if (wish === 'off') return { program: undefined, why: 'the configuration says `jail: off`' }
  const { ready, why, program } = await probeOnce(env)
  if (ready) return { program, why }
  if (wish === 'auto') return { program: undefined, why }
  throw new ValuetrainError('VT_NO_JAIL', `the configuration says \`jail: required\`, and ${why}`, {
    kind: 'environment',
    hint: 'install bubblewrap, or say --no-jail for this once; the session then records it',
  })
}

/**
 * Makes sure that work which nobody watches is held: by a jail, by the configuration's word that there shall be none, or by the
 * operator's.
 *
 * @throws VT_NO_JAIL where a jail is wished and none can be built
 */
export async function requireHeld(wish: Config['jail'], env: NodeJS.ProcessEnv, isWaived = false): Promise<void> {
  const { program, why } = await chooseJail(wish, env, isWaived)
  if (program !== undefined || isWaived || wish === 'off') return
  throw new ValuetrainError('VT_NO_JAIL', `nobody watches this work and nothing would hold it: ${why}`, {
    kind: 'environment',
    hint: 'install bubblewrap, use the container of `valuetrain init --container`, or say --no-jail; the session then records it',
  })
}

const probes = new Map<string, Promise<JailProbe>>()

/** What a machine can do does not change while a command runs; every gate would ask again. */
function probeOnce(env: NodeJS.ProcessEnv): Promise<JailProbe> {
  const path = env.PATH ?? ''
  const known = probes.get(path) ?? probeJail(env)
  probes.set(path, known)
  return known
}

/** One way out that was tried. */
export interface EscapeAttempt {
  id: string
  /** What was tried, in words. */
  tried: string
  escaped: boolean
  why: string
}

/** What an attempt is made with; everything lies in a folder of the probe's own. */
interface Cell {
  jail: Jail
  worktree: string
  outside: string
  secret: string
  /** A port of this machine's loopback where somebody listens. */
  port: number
  env: Record<string, string>
}

/**
 * Tries to get out of a jail as an agent would and tells how each attempt went. What there is to reach is real, in
 * a temporary folder: a checkout with hooks, continuous-integration files and a ticket, a secret beside it, a listener on the
 * host's loopback. An attempt that could not be made counts as an escape, since it shows nothing.
 */
export async function tryEscapes(program: string, env: NodeJS.ProcessEnv): Promise<EscapeAttempt[]> {
  const place = await mkdtemp(join(tmpdir(), 'vt-escape-'))
  const listener = createServer((socket) => socket.end('reached\n'))
  const jails: Jail[] = []
  try {
    const port = await listening(listener)
    const secret = `canary-${randomBytes(12).toString('hex')}`
    const worktree = join(place, 'work')
    const outside = join(place, 'outside')
    await buildCell(worktree, outside, secret)
    const artifacts = join(worktree, '.valuetrain/tickets/probe_1/artifacts')
    const kept = ['.github/workflows/**', '.husky/**', '.circleci/**']
    const jail = await openJail({ program, worktree, artifacts, protected: kept })
    jails.push(jail)
    const cell = { jail, worktree, outside, secret, port, env: { PATH: env.PATH ?? '', SSH_AUTH_SOCK: join(outside, 'secret') } }
    const works = await inCell(
      cell,
      "require('fs').writeFileSync('made', 'x'); require('fs').writeFileSync(process.argv[1] + '/made', 'x')",
      [artifacts],
    )
    if (works.exit !== 0) {
      return [{ id: 'works', tried: 'an ordinary change in the worktree', escaped: true, why: `it failed: ${works.said}` }]
    }
    const held = await Promise.all(ATTEMPTS.map(async ({ id, tried, attempt }) => ({ id, tried, ...(await attempt(cell)) })))
    // What is limited together would starve the attempts beside it, so these have a jail of their own, and come one by one.
    const narrow = await openJail({ program, worktree, artifacts, limits: NARROW })
    jails.push(narrow)
    const limits: EscapeAttempt[] = []
    for (const { id, tried, attempt } of LIMIT_ATTEMPTS) limits.push({ id, tried, ...(await attempt({ ...cell, jail: narrow })) })
    return [...held, ...limits]
  } finally {
    await Promise.all(jails.map((each) => each.close()))
    await new Promise((closed) => listener.close(closed))
    await rm(place, { recursive: true, force: true, maxRetries: 3 })
  }
}

const SEES = "for (const path of process.argv.slice(1)) if (require('fs').existsSync(path)) console.log('seen ' + path)"
const REACHES =
  "try { process.kill(Number(process.argv[1]), 0); console.log('reached') } catch (error) { console.log(error.code) }"
/** Where programs keep what lets them act for a person. */
const CREDENTIALS = [
  ...['.ssh', '.gnupg', '.aws', '.netrc', '.git-credentials', '.gitconfig', '.npmrc', '.docker', '.kube'],
  ...['.config/gh', '.claude', '.codex', '.gemini', '.bash_history'],
]

type Verdict = Pick<EscapeAttempt, 'escaped' | 'why'>

const ATTEMPTS: readonly { id: string; tried: string; attempt: (cell: Cell) => Promise<Verdict> }[] = [
  { id: 'read-beside', tried: 'read a file beside the worktree', attempt: (cell) => reads(cell, join(cell.outside, 'secret')) },
  {
    id: 'read-link',
    tried: 'read it through a link in the worktree',
    attempt: (cell) => reads(cell, join(cell.worktree, 'link')),
  },
  {
    id: 'read-credentials',
    tried: 'find credentials in the home folder of this account',
    attempt: (cell) =>
      prints(
        cell,
        SEES,
        CREDENTIALS.map((name) => join(homedir(), name)),
        /^seen/m,
      ),
  },
  {
    id: 'read-environment',
    tried: 'read the environment of the process that started it',
    attempt: (cell) =>
      prints(
        cell,
        "for (const pid of require('fs').readdirSync('/proc')) { try { const e = require('fs').readFileSync('/proc/' + pid + '/environ', 'utf8'); if (e.includes('SSH_AUTH_SOCK=')) console.log('seen') } catch {} }",
        [],
        /seen/,
      ),
  },
  {
    id: 'write-beside',
    tried: 'write a file beside the worktree',
    attempt: (cell) => writes(cell, join(cell.outside, 'planted')),
  },
  {
    id: 'write-config',
    tried: 'change the configuration',
    attempt: (cell) => writes(cell, join(cell.worktree, '.valuetrain/config.yaml')),
  },
  {
    id: 'write-session',
    tried: "write into the ticket's session folder",
    attempt: (cell) => writes(cell, join(cell.worktree, '.valuetrain/tickets/probe_1/session-x.md')),
  },
  {
    id: 'write-ci',
    tried: 'change a continuous-integration file',
    attempt: (cell) => writes(cell, join(cell.worktree, '.github/workflows/ci.yml')),
  },
  {
    id: 'write-hook',
    tried: "change the repository's own hook",
    attempt: (cell) => writes(cell, join(cell.worktree, '.husky/pre-commit')),
  },
  {
    id: 'make-ci',
    tried: 'make a protected folder that was not there',
    attempt: (cell) => writes(cell, join(cell.worktree, '.circleci/config.yml')),
  },
  {
    id: 'swap-folder',
    tried: 'move the protected folder away and put another in its place',
    attempt: (cell) =>
      prints(
        cell,
        "const fs = require('fs'); fs.renameSync('.valuetrain', 'moved'); fs.mkdirSync('.valuetrain'); console.log('swapped')",
        [],
        /swapped/,
      ),
  },
  { id: 'plant-git-hook', tried: "plant a hook in the repository's git directory", attempt: plantsHook },
  {
    id: 'network-loopback',
    tried: 'reach a listener on this machine',
    attempt: (cell) => connects(cell, '127.0.0.1', cell.port),
  },
  { id: 'network-outside', tried: 'reach an address outside', attempt: (cell) => connects(cell, '1.1.1.1', 443) },
  { id: 'network-metadata', tried: 'reach the metadata address', attempt: (cell) => connects(cell, '169.254.169.254', 80) },
  {
    id: 'network-dns',
    tried: 'resolve a name',
    attempt: (cell) =>
      prints(
        cell,
        "require('dns').resolve4('example.com', (error, found) => console.log(error ? error.code : 'found ' + found))",
        [],
        /found/,
      ),
  },
  {
    id: 'processes',
    tried: 'reach the process that started it',
    attempt: (cell) => prints(cell, REACHES, [String(process.pid)], /^reached/m),
  },
  {
    id: 'namespaces',
    tried: 'make namespaces of its own, and so gain rights',
    attempt: (cell) =>
      prints(
        cell,
        "const r = require('child_process').spawnSync('unshare', ['-U', '-r', 'echo', 'made']); console.log(String(r.stdout))",
        [],
        /made/,
      ),
  },
  {
    id: 'mount',
    tried: 'mount something over a protected folder',
    attempt: (cell) =>
      prints(
        cell,
        "const r = require('child_process').spawnSync('umount', ['-l', '.valuetrain']); console.log(r.status === 0 ? 'unmounted' : 'no')",
        [],
        /unmounted/,
      ),
  },
  { id: 'stay-alive', tried: 'leave a process behind that clears its environment and session', attempt: staysAlive },
]

const MIB = 1024 * 1024
/** Limits that an attempt can pass in a moment. */
const NARROW = { processes: 150, memoryBytes: 768 * MIB, fileBytes: 16 * MIB }

const LIMIT_ATTEMPTS: typeof ATTEMPTS = [
  {
    id: 'many-processes',
    tried: 'start more processes than it may',
    attempt: (cell) =>
      prints(
        cell,
        "const cp = require('child_process'); cp.spawnSync('sh', ['-c', 'n=0; while [ $n -lt 400 ]; do sleep 20 & n=$((n+1)); done'], { stdio: 'ignore' }); const seen = require('fs').readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length; console.log(seen > 350 ? 'unlimited ' + seen : 'held at ' + seen)",
        [],
        /unlimited/,
      ),
  },
  {
    id: 'much-memory',
    tried: 'take more memory than it may',
    attempt: (cell) =>
      prints(
        cell,
        "const kept = []; for (let n = 0; n < 24; n++) { kept.push(Buffer.alloc(64 * 1024 * 1024, 1)) } console.log('unlimited ' + kept.length * 64 + ' MiB')",
        [],
        /unlimited/,
      ),
  },
  {
    id: 'large-file',
    tried: 'write a larger file than it may',
    attempt: (cell) =>
      prints(
        cell,
        "const fs = require('fs'); process.on('SIGXFSZ', () => {}); const file = fs.openSync('large', 'w'); for (let n = 0; n < 64; n++) fs.writeSync(file, Buffer.alloc(1024 * 1024)); console.log('unlimited')",
        [],
        /unlimited/,
      ),
  },
]

async function reads(cell: Cell, file: string): Promise<Verdict> {
  // The attempt means something only where the file can be read outside.
  if (!(await readFile(file, 'utf8')).includes(cell.secret)) return { escaped: true, why: 'the bait was not there to be read' }
  return prints(cell, "console.log(require('fs').readFileSync(process.argv[1], 'utf8'))", [file], new RegExp(cell.secret))
}

async function writes(cell: Cell, file: string): Promise<Verdict> {
  const before = await readFile(file, 'utf8').catch(() => undefined)
  const { said } = await inCell(cell, "require('fs').writeFileSync(process.argv[1], 'planted')", [file])
  const after = await readFile(file, 'utf8').catch(() => undefined)
  return after === before ? { escaped: false, why: lastWord(said) } : { escaped: true, why: 'the file was changed' }
}

async function plantsHook(cell: Cell): Promise<Verdict> {
  const hook = join(cell.worktree, '.git/hooks/pre-commit')
  await inCell(
    cell,
    "const fs = require('fs'); fs.mkdirSync('.git/hooks', { recursive: true }); fs.writeFileSync('.git/hooks/pre-commit', 'planted')",
  )
  const config = await readFile(join(cell.worktree, '.git/config'), 'utf8')
  await inCell(cell, "require('fs').appendFileSync('.git/config', '[core]\\n\\tfsmonitor = planted\\n')")
  const isPlanted = (await readFile(hook, 'utf8').catch(() => '')) !== ''
  const isChanged = (await readFile(join(cell.worktree, '.git/config'), 'utf8')) !== config
  return isPlanted || isChanged
    ? { escaped: true, why: 'the git directory was changed' }
    : { escaped: false, why: 'it wrote into a copy' }
}

function connects(cell: Cell, host: string, port: number): Promise<Verdict> {
  const program =
    "const self = require('process'); const s = require('net').connect({ host: self.argv[1], port: Number(self.argv[2]), timeout: 2000 }); s.on('connect', () => { console.log('connected'); self.exit(0) }); s.on('error', (e) => { console.log(e.code); self.exit(1) }); s.on('timeout', () => { console.log('timeout'); self.exit(1) })"
  return prints(cell, program, [host, String(port)], /connected/)
}

async function staysAlive(cell: Cell): Promise<Verdict> {
  const beat = join(cell.worktree, 'beat')
  const child = `setInterval(() => require('fs').writeFileSync(${JSON.stringify(beat)}, String(Date.now())), 20)`
  await inCell(
    cell,
    `const c = require('child_process').spawn(process.execPath, ['--eval', ${JSON.stringify(child)}], { detached: true, stdio: 'ignore', env: {} }); c.unref(); setTimeout(() => {}, 300)`,
  )
  const then = await readFile(beat, 'utf8').catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 150))
  const now = await readFile(beat, 'utf8').catch(() => undefined)
  if (then === undefined) return { escaped: true, why: 'the process was never there, so nothing was shown' }
  return then === now ? { escaped: false, why: 'it ended with the jail' } : { escaped: true, why: 'it still runs' }
}

async function prints(cell: Cell, program: string, args: readonly string[], proof: RegExp): Promise<Verdict> {
  const { said, exit, ended } = await inCell(cell, program, args)
  if (!ended) return { escaped: true, why: 'the attempt did not end' }
  return proof.test(said)
    ? { escaped: true, why: lastWord(said) }
    : { escaped: false, why: lastWord(said) || `exit code ${exit}` }
}

async function inCell(
  cell: Cell,
  program: string,
  args: readonly string[] = [],
): Promise<{ exit: number | null; said: string; ended: boolean }> {
  const { argv, env } = await cell.jail.wrap([execPath, '--eval', program, '--', ...args], cell.env)
  const run = await runProcess(argv, { cwd: cell.worktree, env, limits: { totalMs: 20_000, outputBytes: 20_000 } })
  return { exit: run.exit, said: run.outputTail, ended: run.timedOut === undefined }
}

function lastWord(said: string): string {
  const code = /\b(E[A-Z]{3,})\b/.exec(said)?.[1]
  return code ?? said.trim().split('\n').at(-1)?.slice(0, 120) ?? ''
}

async function buildCell(worktree: string, outside: string, secret: string): Promise<void> {
  const files = {
    '.valuetrain/config.yaml': 'version: 1\n',
    '.valuetrain/tickets/probe_1/artifacts/kept': '',
    '.github/workflows/ci.yml': 'on: push\n',
    '.husky/pre-commit': 'exit 0\n',
    '.git/HEAD': 'ref: refs/heads/main\n',
    '.git/config': '[core]\n\trepositoryformatversion = 0\n',
    '.git/objects/info/packs': '',
    '.git/refs/heads/none': '',
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(worktree, path, '..'), { recursive: true })
    await writeFile(join(worktree, path), text)
  }
  await mkdir(outside)
  await writeFile(join(outside, 'secret'), secret)
  await symlink(join(outside, 'secret'), join(worktree, 'link'))
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}
