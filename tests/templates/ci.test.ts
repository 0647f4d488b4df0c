import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { openGit } from '../../core/git.ts'
import { autoPilotFile, ciFile } from '../../templates/index.ts'
import { openTerminal } from '../bin/terminal.ts'
import { readerOfFiles } from '../support/reader.ts'
import { makeRepository } from '../support/repository.ts'

const run = promisify(execFile)

interface Step {
  name: string
  run: string
  uses?: string
  env?: Record<string, string>
  if?: string
}
interface Workflow {
  on: Record<string, unknown>
  permissions: Record<string, string>
  jobs: Record<string, { if?: string; env: Record<string, string>; defaults: { run: { shell: string } }; steps: Step[] }>
}

async function workflow(): Promise<Workflow> {
  const { content } = await ciFile('github', '1.2.3', readerOfFiles({}))
  return parse(content as string) as Workflow
}

/**
 * Structure: the keys that decide when a job runs, what it may do and what it starts. What GitHub's parser and GitLab's
 * schema say of the whole files is asked in `tests/live/published-formats.test.ts`, which needs the npm registry.
 */
describe('the job for GitHub', () => {
  it('runs on every pull request and merge group, always reports, and may only read', async () => {
    const { on, permissions, jobs } = await workflow()
    expect({ on, permissions, jobs: Object.keys(jobs) }).toEqual({
      on: { pull_request: null, merge_group: null },
      permissions: { contents: 'read' },
      jobs: ['check'],
    })
    expect(jobs.check?.if).toBeUndefined()
    expect(jobs.check?.defaults).toEqual({ run: { shell: 'bash' } })
  })

  it('uses nobody’s action, and puts nothing from outside into a script', async () => {
    const { jobs } = await workflow()
    for (const { name, uses, run: script } of jobs.check?.steps ?? []) {
      expect({ name, uses, expression: /\$\{\{/.test(script) }).toEqual({ name, uses: undefined, expression: false })
      await run('bash', ['-n', '-c', script])
    }
  })

  it('installs exactly this version, away from what is judged', async () => {
    const { jobs } = await workflow()
    const step = jobs.check?.steps.find(({ name }) => name === 'Install valuetrain') as Step & Record<string, string>
    expect(step['working-directory']).toBe('${{ runner.temp }}')
    expect(step.run).toContain("'valuetrain@1.2.3'")
    expect(step.run).toContain('--ignore-scripts')
  })

  it('fetches head, branches and evidence of a real repository, and checks with what it fetched', async () => {
    const origin = await makeRepository()
    await origin.git.run(['switch', '-q', '-c', 'phase/build_1'])
    const head = await origin.commit({ 'a.txt': 'a' })
    await origin.git.run(['update-ref', 'refs/pull/7/head', head])
    await origin.git.run(['update-ref', 'refs/valuetrain/evidence/build_1', head])
    await origin.git.run(['config', 'uploadpack.allowAnySHA1InWant', 'true'])
    const place = await mkdtemp(join(origin.outside, 'runner-'))
    const [checkout, temp] = [join(place, 'work'), join(place, 'temp')]
    const bin = join(temp, 'valuetrain/node_modules/.bin')
    await Promise.all([mkdir(checkout), mkdir(bin, { recursive: true })])
    // What the script asks of the installed program is written down here, and asked of the real command below.
    await writeFile(join(bin, 'valuetrain'), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 1\n', { mode: 0o755 })
    const env = {
      ...origin.env,
      GITHUB_SERVER_URL: `file://${origin.outside}`,
      GITHUB_REPOSITORY: 'repo',
      RUNNER_TEMP: temp,
      GITHUB_STEP_SUMMARY: join(temp, 'summary.md'),
      TOKEN: 'x',
      BASE: 'refs/remotes/origin/main',
      HEAD: head,
      BRANCH: 'phase/build_1',
      PULL: '7',
    }
    const { jobs } = await workflow()
    const script = (name: string) => jobs.check?.steps.find((step) => step.name === name)?.run ?? ''
    const shell = (name: string) =>
      run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script(name)], { cwd: checkout, env }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, stdout: error.stdout + error.stderr }),
      )
    expect(await shell('Fetch the whole history')).toEqual({ code: 0, stdout: '' })
    const git = openGit(checkout, origin.env)
    const refs = await git.text(['for-each-ref', '--format=%(refname)'])
    expect({ refs: refs.split('\n'), head: await git.text(['rev-parse', 'HEAD']) }).toEqual({
      refs: [
        'refs/remotes/origin/main',
        'refs/remotes/origin/phase/build_1',
        'refs/remotes/pull/head',
        'refs/valuetrain/evidence/build_1',
      ],
      head,
    })
    expect(await readFile(join(checkout, '.git/config'), 'utf8')).not.toContain('extraheader')
    const asked = ['check', '--base', 'refs/remotes/origin/main', '--head', head, '--branch', 'phase/build_1', '']
    expect(await shell('Check')).toEqual({ code: 1, stdout: asked.join('\n') })
    const checked = await openTerminal({ dir: checkout, env }).run(...asked.slice(0, -1), '--json')
    expect({ code: checked.code, ...JSON.parse(checked.stdout) }).toMatchObject({ code: 1, ok: false, head })
    expect((await shell('Summary')).code).toBe(0)
    expect(await readFile(env.GITHUB_STEP_SUMMARY, 'utf8')).toContain('--branch')
  })
})

describe('the workflow of Auto-Pilot', () => {
  const opened = async () => {
    const { content, path } = await autoPilotFile('1.2.3', readerOfFiles({}))
    return { path, flow: parse(content as string) as Workflow & { concurrency: { 'cancel-in-progress': boolean } } }
  }

  it('runs on a schedule, on labels, on commands and by hand, one at a time, with no rights of its own', async () => {
    const { path, flow } = await opened()
    expect(path).toBe('.github/workflows/valuetrain-auto-pilot.yml')
    expect(Object.keys(flow.on)).toEqual(['schedule', 'issues', 'issue_comment', 'workflow_dispatch'])
    expect([flow.permissions, flow.concurrency['cancel-in-progress']]).toEqual([{ contents: 'read' }, false])
    expect(await autoPilotFile('1.2.3', readerOfFiles({ [path]: 'mine\n' }))).toEqual({ path, action: 'keep', why: 'is there' })
  })

  it('uses nobody’s action, puts nothing from outside into a script, and hands the token to two steps alone', async () => {
    const { flow } = await opened()
    const steps = flow.jobs.drive?.steps ?? []
    for (const { name, uses, run: script } of steps) {
      expect({ name, uses, expression: /\$\{\{/.test(script) }).toEqual({ name, uses: undefined, expression: false })
      await run('bash', ['-n', '-c', script])
    }
    const secret = steps.filter(({ env }) => JSON.stringify(env ?? {}).includes('secrets.'))
    expect(secret.map(({ name }) => name)).toEqual(['Fetch the whole history', 'Drive'])
  })

  it('makes a clone on the default branch that keeps no token, and takes blocked tickets for no failure of its own', async () => {
    const origin = await makeRepository({ 'a.txt': 'a\n' })
    const place = await mkdtemp(join(origin.outside, 'runner-'))
    const [checkout, temp] = [join(place, 'work'), join(place, 'temp')]
    const bin = join(temp, 'valuetrain/node_modules/.bin')
    await Promise.all([mkdir(checkout), mkdir(bin, { recursive: true })])
    await writeFile(join(bin, 'valuetrain'), '#!/bin/sh\necho "$@"\nexit "$ENDS_WITH"\n', { mode: 0o755 })
    const env = {
      ...origin.env,
      GITHUB_SERVER_URL: `file://${origin.outside}`,
      GITHUB_REPOSITORY: 'repo',
      GITHUB_STEP_SUMMARY: join(temp, 'summary.md'),
      RUNNER_TEMP: temp,
      TOKEN: 'canary',
      BRANCH: 'main',
    }
    const { flow } = await opened()
    const shell = async (name: string, more: Record<string, string> = {}) => {
      const script = flow.jobs.drive?.steps.find((step) => step.name === name)?.run ?? ''
      const argv = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script]
      return run('bash', argv, { cwd: checkout, env: { ...env, ...more } }).then(
        () => 0,
        (error: { code: number }) => error.code,
      )
    }
    expect(await shell('Fetch the whole history', { TOKEN: '' })).toBe(1)
    expect(await shell('Fetch the whole history')).toBe(0)
    const git = openGit(checkout, origin.env)
    expect(await git.text(['symbolic-ref', '--short', 'HEAD'])).toBe('main')
    expect(await readFile(join(checkout, '.git/config'), 'utf8')).not.toContain('canary')
    const ends = await Promise.all(['0', '1', '3'].map((code) => shell('Drive', { ENDS_WITH: code })))
    expect(ends).toEqual([0, 0, 1])
  })
})

describe('the job for GitLab', () => {
  it('runs in every merge request, fetches what the check needs, and keeps the report', async () => {
    const { content, path } = await ciFile('gitlab', '1.2.3', readerOfFiles({}))
    const { valuetrain, ...others } = parse(content as string)
    expect({ path, others }).toEqual({ path: '.gitlab-ci.yml', others: {} })
    expect(valuetrain).toMatchObject({
      rules: [{ if: '$CI_PIPELINE_SOURCE == "merge_request_event"' }],
      variables: { GIT_DEPTH: '0' },
      artifacts: { when: 'always', reports: { junit: 'valuetrain.xml' } },
    })
    expect(Object.keys(valuetrain).sort()).toEqual(
      ['after_script', 'artifacts', 'image', 'interruptible', 'rules', 'script', 'stage', 'timeout', 'variables'].sort(),
    )
    for (const line of [...valuetrain.script, ...valuetrain.after_script]) await run('bash', ['-n', '-c', line])
    expect(valuetrain.script.join('\n')).toContain("'valuetrain@1.2.3'")
  })

  it('goes into a file of its own where there is a pipeline, and is kept where it is', async () => {
    const beside = await ciFile('gitlab', '1.2.3', readerOfFiles({ '.gitlab-ci.yml': 'build:\n  script: make\n' }))
    expect(beside).toMatchObject({
      path: '.gitlab/valuetrain.yml',
      action: 'create',
      why: expect.stringContaining('include: .gitlab/valuetrain.yml'),
    })
    expect(await ciFile('gitlab', '1.2.3', readerOfFiles({ '.gitlab-ci.yml': beside.content ?? '' }))).toEqual({
      path: '.gitlab-ci.yml',
      action: 'keep',
      why: 'is there',
    })
  })
})

describe('init --ci', () => {
  it('writes the job once, and leaves one that is there', async () => {
    const { dir, env } = await makeRepository()
    const terminal = openTerminal({ dir, env })
    expect((await terminal.run('init', '--ci', 'github')).code).toBe(0)
    const file = join(dir, '.github/workflows/valuetrain.yml')
    expect(await readFile(file, 'utf8')).toContain("'valuetrain@9.9.9'")
    await writeFile(file, 'mine\n')
    const again = JSON.parse((await terminal.run('init', '--ci', 'github', '--json')).stdout)
    expect(again.files).toContainEqual({ path: '.github/workflows/valuetrain.yml', action: 'keep', why: 'is there' })
    expect(await readFile(file, 'utf8')).toBe('mine\n')
    expect((await terminal.run('init', '--ci', 'circle')).code).toBe(2)
  })
})
