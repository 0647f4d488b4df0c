import { spawn } from 'node:child_process'
import { cp, mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeRepository } from '../support/repository.ts'

const SHIM = new URL('../../bin/valuetrain.js', import.meta.url).pathname

/** Runs a program; `early` closes its output after the first bytes. */
async function start(argv: string[], options: { cwd: string; env: NodeJS.ProcessEnv; early?: boolean }) {
  const child = spawn(process.execPath, argv, { cwd: options.cwd, env: options.env })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    if (options.early) child.stdout.destroy()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { code, stdout, stderr }
}

describe('the program itself', () => {
  it('answers --version from package.json', async () => {
    const { dir, env } = await makeRepository()
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await start([SHIM, '--version'], { cwd: dir, env })).toEqual({
      code: 0,
      stdout: `valuetrain ${version}\n`,
      stderr: '',
    })
  })

  it('says how to build it where it is not built', async () => {
    const { outside, env } = await makeRepository()
    await mkdir(join(outside, 'package/bin'), { recursive: true })
    await cp(SHIM, join(outside, 'package/bin/valuetrain.js'))
    await cp(new URL('../../package.json', import.meta.url), join(outside, 'package/package.json'))
    expect(await start([join(outside, 'package/bin/valuetrain.js'), 'status'], { cwd: outside, env })).toEqual({
      code: 3,
      stdout: '',
      stderr: 'error: valuetrain is not built here\nhint: run `npm run build` in its folder, then this again\n',
    })
  })

  it('survives a reader that has seen enough, keeps its exit code, and prints no colours into a pipe', async () => {
    const { dir, env } = await makeRepository()
    const coloured = { ...env, NO_COLOR: undefined }
    const early = await start([SHIM, 'mode', 'list', '--json'], { cwd: dir, env: coloured, early: true })
    expect({ code: early.code, stderr: early.stderr }).toEqual({ code: 0, stderr: '' })
    const { code, stdout, stderr } = await start([SHIM, 'run', 'x'], { cwd: dir, env: coloured })
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr:
        'error: "x" is not an issue number\nhint: give the number, as in `valuetrain run 42`; `valuetrain issue list` shows them\n',
    })
  })

  it('stops at the first signal where the next run can go on', async () => {
    const repository = await makeRepository({
      a: '1',
      '.valuetrain/config.yaml': 'recipes:\n  slow: [[node, -e, "setTimeout(() => {}, 60000)"]]\n',
      '.valuetrain/issues/1-wait.md':
        '---\nnumber: 1\ntitle: Wait\nlabels: [auto, "recipe:slow"]\nassignees: []\nstate: open\ncreated: 2026-01-05T08:30:00.000Z\n---\n',
    })
    const child = spawn(process.execPath, [SHIM, 'run', '1', '--json'], { cwd: repository.dir, env: repository.env })
    let stdout = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      if (chunk.includes('TURN_STARTED')) child.kill('SIGINT')
    })
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect({ code, last: JSON.parse(stdout.trim().split('\n').at(-1) ?? '') }).toEqual({
      code: 1,
      last: { type: 'RUN_ENDED', outcome: 'waiting', issue: 1 },
    })
    // Nobody holds the issue any more.
    expect(await repository.git.text(['for-each-ref', 'refs/valuetrain/leases'])).toBe('')
  })
})
