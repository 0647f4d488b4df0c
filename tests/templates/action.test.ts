import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { autoPilotFile } from '../../templates/index.ts'
import { openStand } from '../support/github/index.ts'
import { readerOfFiles } from '../support/reader.ts'
import { testEnvironment } from '../support/repository.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FULL = process.env.VALUETRAIN_FULL !== undefined
const SEED = Number(process.env.VALUETRAIN_SEED ?? 7)

interface Step {
  name: string
  run: string
  shell?: string
  env?: Record<string, string>
}

async function action() {
  return parse(await readFile(join(ROOT, 'action.yml'), 'utf8')) as {
    name: string
    description: string
    inputs: Record<string, { description: string; required: boolean; default?: string }>
    runs: { using: string; steps: Step[] }
  } & Record<string, unknown>
}

/** What GitHub's own parser says of the whole file is asked in `tests/live/published-formats.test.ts`. */
describe('the action', () => {
  it('is a composite one whose steps are those of the workflow that init writes, with its own inputs', async () => {
    const { name, description, inputs, runs, ...others } = await action()
    expect([name.length > 0, description.length <= 125, Object.keys(others)]).toEqual([true, true, ['branding']])
    expect(runs.using).toBe('composite')
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(inputs.token).toMatchObject({ required: true })
    expect(inputs.token?.default).toBeUndefined()
    expect(inputs.version).toMatchObject({ required: false, default: version })
    const { content } = await autoPilotFile(version, readerOfFiles({}))
    const flow = parse(content as string) as { jobs: { drive: { steps: Step[] } } }
    // What is its own: where the token and the version come from, and what is said when either is not as it should be.
    const same = (steps: readonly Step[]) =>
      steps.map(({ name, run: script }) => [
        name,
        script
          .split('\n')
          .filter((line) => !line.startsWith('test ') && !/^\s*#/.test(line))
          .join('\n')
          .replace(/(['"])valuetrain@(?:\$VERSION|[\d.]+)\1/, 'valuetrain@<version>'),
      ])
    expect(same(runs.steps)).toEqual(same(flow.jobs.drive.steps))
  })

  it('puts nothing from outside into a script, and hands the token to two steps alone', async () => {
    const { runs } = await action()
    for (const { name, shell, run: script } of runs.steps) {
      expect({ name, shell, expression: /\$\{\{/.test(script) }).toEqual({ name, shell: 'bash', expression: false })
      await run('bash', ['-n', '-c', script])
    }
    const secret = runs.steps.filter(({ env }) => JSON.stringify(env ?? {}).includes('inputs.token'))
    expect(secret.map(({ name }) => name)).toEqual(['Fetch the whole history', 'Drive'])
  })
})

const CONFIG = `version: 1
forge: github
remote: origin
jail: off
commands: { test: [sh, -c, 'test "$(cat value.txt)" = right'] }
recipes:
  mend: [[sh, -c, 'env; ps axeww -o args; printf right > value.txt']]
github: { writeEveryMs: 0 }
`

describe(`a whole issue by the action's own lines (seed ${SEED})`, () => {
  it.runIf(FULL || SEED % 16 === 6)(
    'becomes a pull request, and its token is in no argument, address, setting, file, log, text or environment of a child',
    { timeout: 300_000 },
    async () => {
      const stand = await openStand()
      onTestFinished(() => stand.close())
      const token = stand.token('pilot')
      const at = await stand.repository('action', { 'value.txt': 'wrong', '.valuetrain/config.yaml': CONFIG })
      const labels = ['auto', 'recipe:mend']
      const owner = stand.as('owner')
      const issue = await owner('POST', `/repos/${at.fullName}/issues`, { title: 'Mend it', body: 'Please', labels })
      const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-runner-')))
      onTestFinished(() => rm(outside, { recursive: true, force: true }))
      const [work, temp, home, tools, traces] = ['work', 'temp', 'home', 'tools', 'traces'].map((name) =>
        join(outside, name),
      ) as [string, string, string, string, string]
      const bin = join(temp, 'valuetrain/node_modules/.bin')
      await Promise.all([work, home, tools, traces, bin].map((dir) => mkdir(dir, { recursive: true })))
      // What stands in for the installed package is this one, built.
      await writeFile(
        join(bin, 'valuetrain'),
        `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'bin/valuetrain.js')}' "$@"\n`,
        {
          mode: 0o755,
        },
      )
      const real = (await run('sh', ['-c', 'command -v git'])).stdout.trim()
      const record = `#!/bin/sh\n{ echo "$@"; env; ps axww -o args; } > '${traces}'/$$.$(date +%N)\nexec '${real}' "$@"\n`
      const env: NodeJS.ProcessEnv = {
        ...testEnvironment(home),
        PATH: `${tools}:${process.env.PATH}`,
        RUNNER_TEMP: temp,
        GITHUB_STEP_SUMMARY: join(temp, 'summary.md'),
        GITHUB_SERVER_URL: stand.url,
        GITHUB_REPOSITORY: at.fullName,
      }
      const { runs } = await action()
      const shell = async (name: string, more: NodeJS.ProcessEnv) => {
        const script = runs.steps.find((step) => step.name === name)?.run ?? ''
        const options = { cwd: work, env: { ...env, ...more }, maxBuffer: 1e8 }
        const ended = run('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script], options)
        return ended.then(
          ({ stdout, stderr }) => ({ code: 0, said: stdout + stderr }),
          (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, said: error.stdout + error.stderr }),
        )
      }
      const fetched = await shell('Fetch the whole history', { TOKEN: token, BRANCH: 'main' })
      expect(fetched).toEqual({ code: 0, said: '' })
      expect((await shell('Fetch the whole history', { TOKEN: token, BRANCH: 'main' })).said).toContain(
        'leave actions/checkout out',
      )
      // From here on every git is written down with its arguments, its environment and all that runs beside it.
      await writeFile(join(tools, 'git'), record, { mode: 0o755 })
      const driven = await shell('Drive', { VALUETRAIN_GITHUB_TOKEN: token })
      expect(driven.code, driven.said).toBe(0)
      const [pull] = await owner('GET', `/repos/${at.fullName}/pulls?state=all`)
      expect(pull).toMatchObject({ head: { ref: `phase/build_${issue.number}` }, draft: false })

      const basic = Buffer.from(`x-access-token:${token}`).toString('base64')
      const isIn = (text: string) => text.includes(token) || text.includes(basic)
      const holding: string[] = []
      for (const name of await readdir(outside, { recursive: true })) {
        const text = await readFile(join(outside, name), 'latin1').catch(() => '')
        holding.push(...text.split('\n').flatMap((line) => (isIn(line) ? [`${name}: ${line.slice(0, 300)}`] : [])))
      }
      expect(holding).toEqual([])
      expect((await readdir(traces)).length).toBeGreaterThan(50)
      const told = await Promise.all([
        run(real, ['-C', work, 'reflog', '--all'], { env }),
        run(real, ['-C', work, 'config', '--list', '--show-origin'], { env }),
        run(real, ['-C', work, 'log', '-p', '--all'], { env, maxBuffer: 1e8 }),
      ])
      const texts = [driven.said, ...told.map(({ stdout }) => stdout), await readFile(join(temp, 'summary.md'), 'utf8')]
      expect(texts.map(isIn)).toEqual(texts.map(() => false))
      // GitHub was given the token in a header and nowhere else.
      expect(isIn(JSON.stringify(stand.journal))).toBe(false)
      expect(stand.violations()).toEqual([])
    },
  )
})
