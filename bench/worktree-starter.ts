/**
 * One of many simultaneous starts, as a process of its own: loads what it needs, says `ready`, waits for a line on
 * standard input, then opens a worktree, lets a scripted agent write a file there and commits it. Prints one line of
 * JSON: the milliseconds until the worktree was open and until the commit was there.
 *
 * Arguments: repository, root, name, base commit.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { scriptedRuntime } from '../agents/runtimes/scripted.ts'
import { openRepository } from '../core/repository.ts'
import { openWorktree } from '../core/worktree.ts'

const [dir = '', root = '', name = '', base = ''] = process.argv.slice(2)
process.stdout.write('ready\n')
await once(process.stdin, 'data')
process.stdin.destroy()

const begun = performance.now()
const repository = await openRepository(dir, process.env)
const worktree = await openWorktree(repository, { root, name, branch: `phase/${name}`, base })
const openMs = performance.now() - begun
const agent = scriptedRuntime({ turns: [{ steps: [{ do: 'write', path: 'agent.txt', content: `${name}\n` }] }] })
const day = 86_400_000
const result = await agent.turn(
  {
    turn: '01J00000000000000000000001',
    ticket: name,
    issue: 1,
    labels: [],
    phase: 'build',
    mode: 'build',
    child: 'dev',
    role: 'studio',
    attempt: 1,
    brief: '',
    cwd: worktree.dir,
    artifacts: join(worktree.dir, 'artifacts'),
    recipe: undefined,
    env: {},
    limits: { launchMs: day, firstOutputMs: day, silenceMs: day, totalMs: day, outputBytes: 10_000 },
    signal: new AbortController().signal,
  },
  () => {},
)
if (result.outcome !== 'completed') throw new Error(`the scripted agent did not work: ${result.reason}`)
const git = repository.git.at(worktree.dir)
await git.run(['add', '--', 'agent.txt'])
await git.run(['commit', '--quiet', '--message', `Work on ${name}`])
console.log(JSON.stringify({ openMs, workedMs: performance.now() - begun }))
