/**
 * L1: what a cold start of the command line costs, over `node` doing nothing.
 *
 * `status` runs in a repository with a configuration and three issues, `git` included; its floor is bare node too.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { openGit } from '../core/git.ts'
import { type Benchmark, costOf, interleave, rowOf } from './measure.ts'

const bench: Benchmark = async ({ full, seed, env, root, note }) => {
  const rounds = full ? 101 : 21
  const outside = await mkdtemp(join(tmpdir(), 'vt-bench-'))
  try {
    const dir = await smallRepository(outside, env)
    const empty = join(outside, 'empty.mjs')
    await writeFile(empty, '')
    const shim = join(root, 'bin', 'valuetrain.js')
    const commands = {
      node: [process.execPath, empty],
      '--version': [process.execPath, shim, '--version'],
      '--help': [process.execPath, shim, '--help'],
      status: [process.execPath, shim, 'status'],
      'status --json': [process.execPath, shim, 'status', '--json'],
    }
    note(`${rounds} rounds of ${Object.keys(commands).length} commands, CPU time`)
    const variants = Object.fromEntries(
      Object.entries(commands).map(([name, argv]) => [name, async () => (await costOf(argv, { cwd: dir, env })).cpuMs]),
    ) as Record<keyof typeof commands, () => Promise<number>>
    const samples = await interleave(variants, rounds, seed)
    const { node, ...ours } = samples
    return [
      rowOf('bare node', 'ms CPU', node),
      ...Object.entries(ours).map(([name, values]) => rowOf(`valuetrain ${name}`, 'ms CPU', values, { floor: node })),
    ]
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}
export default bench

async function smallRepository(outside: string, env: NodeJS.ProcessEnv): Promise<string> {
  const dir = join(outside, 'repository')
  await mkdir(join(dir, '.valuetrain', 'issues'), { recursive: true })
  const git = openGit(dir, env)
  await git.run(['init', '--quiet', '--initial-branch=main'])
  await writeFile(join(dir, '.valuetrain', 'config.yaml'), 'version: 1\ncommands:\n  test: [node, --test]\n')
  for (const number of [1, 2, 3]) {
    const text = `---\ntitle: Problem ${number}\nlabels: [auto]\n---\nSomething is wrong.\n`
    await writeFile(join(dir, '.valuetrain', 'issues', `${number}-problem-${number}.md`), text)
  }
  await git.run(['add', '--all'])
  const identity = ['-c', 'user.name=Bench', '-c', 'user.email=bench@example.com']
  await git.run([...identity, 'commit', '--quiet', '--message', 'Begin'])
  return dir
}
