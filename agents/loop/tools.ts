import { relative } from 'node:path'
import { RequestError } from '@agentclientprotocol/sdk'
import type { TurnRequest } from '../../core/contracts/runtime.ts'
import { runJailed } from '../../core/jail-run.ts'
import type { Tool } from '../policy.ts'
import { inWorktree, mayWrite } from '../runtimes/acp-files.ts'
import { outcomeOf } from '../runtimes/outcome.ts'
import type { ToolSpec } from './model.ts'

/** Characters of a tool's answer that a model gets. */
const ANSWER_CHARACTERS = 12_000
const FILE_BYTES = 2 * 1024 * 1024

/** What a call of a tool came to. */
export interface ToolAnswer {
  text: string
  failed: boolean
  /** Repository path of a file that was written. */
  edited?: string
}

/** One tool of the loop: what a model is told of it, what of a role's tools it takes, and what it does. */
export interface LoopTool {
  spec: ToolSpec
  /** Undefined for what every role may. */
  needs: Tool | undefined
  run(args: Readonly<Record<string, unknown>>, place: ToolPlace): Promise<ToolAnswer>
}

/** Where tools work: the turn, and paths that are not written for an agent. */
export interface ToolPlace {
  request: TurnRequest
  kept: readonly string[]
  signal: AbortSignal
}

const text = (description: string) => ({ type: 'string', description })
const schema = (properties: Record<string, unknown>, required: readonly string[]) => ({ type: 'object', properties, required })

/** The tools of the loop, in the order in which a model is told of them. `done` ends the turn and is nothing to run. */
export const LOOP_TOOLS: readonly LoopTool[] = [
  {
    spec: {
      name: 'bash',
      description:
        'Runs a command line in the worktree and returns what it printed and its exit code. Nothing it starts outlives it.',
      parameters: schema({ command: text('The command line.') }, ['command']),
    },
    needs: 'run-code',
    run: async ({ command }, place) => bash(textOf(command), place),
  },
  {
    spec: {
      name: 'read',
      description: 'Returns a text file of the worktree, with numbers before its lines.',
      parameters: schema(
        {
          path: text('Path from the worktree.'),
          from: { type: 'integer', description: 'First line, from 1.' },
          lines: { type: 'integer', description: 'How many lines.' },
        },
        ['path'],
      ),
    },
    needs: 'read',
    async run({ path, from, lines }, place) {
      const content = await readText(textOf(path), place)
      if (typeof content !== 'string') return content
      const first = Math.max(1, countOf(from, 1))
      const shown = content.split('\n').slice(first - 1, first - 1 + countOf(lines, 400))
      return { text: shown.map((line, index) => `${first + index}\t${line}`).join('\n'), failed: false }
    },
  },
  {
    spec: {
      name: 'write',
      description: 'Writes a whole file of the worktree; makes it, or takes the place of what was there.',
      parameters: schema({ path: text('Path from the worktree.'), content: text('All of the file.') }, ['path', 'content']),
    },
    needs: 'write',
    run: async ({ path, content }, place) => writeText(textOf(path), content, place),
  },
  {
    spec: {
      name: 'edit',
      description: 'Replaces a text in a file of the worktree. The old text has to be there exactly once.',
      parameters: schema(
        { path: text('Path from the worktree.'), old: text('The text as it is.'), new: text('The text as it shall be.') },
        ['path', 'old', 'new'],
      ),
    },
    needs: 'write',
    async run({ path, old, new: fresh }, place) {
      const content = await readText(textOf(path), place)
      if (typeof content !== 'string') return content
      const before = textOf(old)
      const count = before === '' ? 0 : content.split(before).length - 1
      if (count !== 1) return no(`the old text is in ${textOf(path)} ${count} times, and has to be there once`)
      const at = content.indexOf(before)
      return writeText(textOf(path), content.slice(0, at) + textOf(fresh) + content.slice(at + before.length), place)
    },
  },
  {
    spec: {
      name: 'done',
      description: 'Ends the work. Call it once everything that was asked is in the files.',
      parameters: schema({ summary: text('What was done, in a sentence or two.') }, ['summary']),
    },
    needs: undefined,
    run: async () => ({ text: 'done', failed: false }),
  },
]

async function bash(command: string, { request, signal }: ToolPlace): Promise<ToolAnswer> {
  if (command.trim() === '') return no('there is no command')
  const { silenceMs, totalMs, outputBytes } = request.limits
  const ran = await runJailed(request.jail, ['bash', '-c', command], {
    cwd: request.cwd,
    env: request.env,
    // What a command may take is what is left of the turn; a quiet one is not silent, for it is a tool that runs.
    limits: { totalMs: Math.min(totalMs, Math.max(silenceMs, 60_000)), outputBytes },
    signal,
  })
  const end = outcomeOf(ran, request)
  return { text: `${shortened(ran.outputTail)}\n[${end === undefined ? 'exit code 0' : end.what}]`, failed: end !== undefined }
}

/** Read by a program of the system in the jail, where there is one; what is seen is what the jail shows. */
async function readText(path: string, { request, signal }: ToolPlace): Promise<string | ToolAnswer> {
  const file = await located(path, request)
  if (typeof file !== 'string') return file
  const ran = await runJailed(request.jail, ['head', '-c', String(FILE_BYTES), '--', file], {
    cwd: request.cwd,
    env: request.env,
    limits: { totalMs: 30_000, outputBytes: FILE_BYTES },
    signal,
  })
  return ran.exit === 0 ? ran.outputTail : no(ran.outputTail.trim() || `${path} cannot be read`)
}

const WRITE = 'mkdir -p -- "$(dirname -- "$1")" && cat > "$1"'

async function writeText(path: string, content: unknown, { request, kept, signal }: ToolPlace): Promise<ToolAnswer> {
  if (typeof content !== 'string') return no('there is no content')
  const file = await located(path, request)
  if (typeof file !== 'string') return file
  const refusal = await mayWrite(file, request, kept)
  if (refusal !== undefined) return no(refusal)
  const ran = await runJailed(request.jail, ['sh', '-c', WRITE, 'sh', file], {
    cwd: request.cwd,
    env: request.env,
    limits: { totalMs: 30_000, outputBytes: 4_000 },
    input: content,
    signal,
  })
  if (ran.exit !== 0) return no(ran.outputTail.trim() || `${path} cannot be written`)
  const own = relative(request.cwd, file)
  return { text: `wrote ${own}`, failed: false, edited: own }
}

/** A path that leaves the worktree, by its words or by a link, is none. */
async function located(path: string, request: TurnRequest): Promise<string | ToolAnswer> {
  if (path.trim() === '') return no('there is no path')
  return inWorktree(true, request, path).catch((error: unknown) =>
    no(error instanceof RequestError ? error.message : `${path} cannot be reached`),
  )
}

function no(text: string): ToolAnswer {
  return { text: shortened(text), failed: true }
}

/** Both ends of a long text: what failed is said first or last. */
function shortened(whole: string): string {
  if (whole.length <= ANSWER_CHARACTERS) return whole.trimEnd()
  const half = ANSWER_CHARACTERS / 2
  return `${whole.slice(0, half).toWellFormed()}\n[… ${whole.length - ANSWER_CHARACTERS} characters left out …]\n${whole.slice(-half).toWellFormed()}`
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const countOf = (value: unknown, fallback: number) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : fallback
