import { execFile } from 'node:child_process'
import { cp, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { chooseRuntime, listRuntimes, recipeOf, selectIssues } from '../../agents/index.ts'
import { readConfig } from '../../core/config.ts'
import { readerOf } from '../../core/tree.ts'
import { readIssueFiles } from '../../forge/index.ts'
import { makeRepository, type TestRepository } from '../support/repository.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/first-journey')
const COMPILERS = join(import.meta.dirname, '../../node_modules/.bin')
const execute = promisify(execFile)

async function copyExample(): Promise<TestRepository> {
  const repository = await makeRepository({})
  await cp(EXAMPLE, repository.dir, { recursive: true })
  await rename(join(repository.dir, 'gitignore'), join(repository.dir, '.gitignore'))
  await repository.commit({}, 'Begin')
  return repository
}

/** Runs a command as a gate does: only what the surroundings offer, plus the compiler. */
async function run(
  { dir, env }: TestRepository,
  [program, ...args]: readonly string[],
): Promise<{ code: number; output: string }> {
  const path = `${COMPILERS}:${env.PATH}`
  try {
    const { stdout, stderr } = await execute(program as string, args, {
      cwd: dir,
      env: { PATH: path, HOME: env.HOME, LANG: 'C.UTF-8' },
    })
    return { code: 0, output: stdout + stderr }
  } catch (cause) {
    const { code, stdout, stderr } = cause as { code: number; stdout: string; stderr: string }
    return { code, output: stdout + stderr }
  }
}

const lastLine = (output: string) => output.trim().split('\n').at(-1)

async function runRecipe(repository: TestRepository, name: string): Promise<string[]> {
  const { config } = await readConfig(readerOf(repository.dir))
  for (const argv of config.recipes[name] ?? []) expect(await run(repository, argv)).toMatchObject({ code: 0 })
  return (await repository.git.text(['status', '--porcelain'])).split('\n').filter((line) => line !== '')
}

describe('the first journey', () => {
  test('its three issues read well, are ready in order of priority, and each names a committed recipe', async () => {
    const reader = readerOf(EXAMPLE)
    const { config } = await readConfig(reader)
    const { issues, problems } = await readIssueFiles(reader)
    expect(problems).toEqual([])
    const { ready, passed } = selectIssues(issues, { labels: config.labels, claimed: new Set() })
    expect({ ready: ready.map(({ number }) => number), passed }).toEqual({ ready: [1, 2, 3], passed: [] })
    const runtimes = listRuntimes({ env: {}, script: undefined })
    const choices = issues.map((issue) => chooseRuntime(issue, { config, runtimes }))
    expect(choices.map((choice) => ('needs' in choice ? choice.needs : [choice.runtime.id, choice.recipe?.name]))).toEqual([
      ['recipe', 'zones'],
      ['recipe', 'format-money'],
      ['recipe', 'simplify-rounding'],
    ])
    expect(recipeOf(['recipe:zones'], config.recipes)).toEqual({ name: 'zones', commands: [['node', 'scripts/zones.mjs']] })
  })

  test('it builds and passes its tests before anything is done, and leaves nothing behind that git would see', async () => {
    const repository = await copyExample()
    const { config } = await readConfig(readerOf(repository.dir))
    expect(await run(repository, config.commands.build ?? [])).toEqual({ code: 0, output: '' })
    const tests = await run(repository, config.commands.test ?? [])
    expect({ code: tests.code, last: lastLine(tests.output) }).toEqual({ code: 0, last: 'all 10 tests passed' })
    expect(await repository.git.text(['status', '--porcelain'])).toBe('')
  })

  test('the recipe of issue 1 makes a parcel to Croatia European, with a test for it, and a second run changes nothing', async () => {
    const repository = await copyExample()
    expect(await runRecipe(repository, 'zones')).toEqual([' M src/zones.ts', ' M test/zones.test.ts'])
    expect(await readFile(join(repository.dir, 'test/zones.test.ts'), 'utf8')).toContain("assert.equal(zoneOf('HR'), 'europe')")
    expect((await run(repository, ['npm', 'test', '--silent'])).code).toBe(0)
    await repository.commit({})
    expect(await runRecipe(repository, 'zones')).toEqual([])
  })

  test('the test that comes with issue 1 fails when the table is left as it was', async () => {
    const repository = await copyExample()
    const before = await readFile(join(repository.dir, 'src/zones.ts'), 'utf8')
    await runRecipe(repository, 'zones')
    await writeFile(join(repository.dir, 'src/zones.ts'), before)
    const { code, output } = await run(repository, ['npm', 'test', '--silent'])
    expect({ code, told: output.includes('every country of the data is in its zone') }).toEqual({ code: 1, told: true })
  })

  test('the recipe of issue 2 leaves no caller of the deprecated function and says so in the change log', async () => {
    const repository = await copyExample()
    expect(await runRecipe(repository, 'format-money')).toEqual([' M CHANGELOG.md', ' M src/compare.ts', ' M src/receipt.ts'])
    const callers = await repository.git.run(['grep', '-l', 'formatCents(', '--', 'src'])
    expect(callers.stdout).toBe('src/money.ts\n')
    expect((await run(repository, ['npm', 'test', '--silent'])).code).toBe(0)
    await repository.commit({})
    expect(await runRecipe(repository, 'format-money')).toEqual([])
  })

  test('the recipe of issue 3 succeeds and breaks the tests, which name the rule it dropped in their last line', async () => {
    const repository = await copyExample()
    expect(await runRecipe(repository, 'simplify-rounding')).toEqual([' M src/money.ts'])
    const { code, output } = await run(repository, ['npm', 'test', '--silent'])
    const failed = '"half a cent goes to the even neighbour", "an export pays no tax, and its fuel surcharge of 44.5 cents is 44"'
    expect({ code, last: lastLine(output) }).toEqual({ code: 1, last: `2 of 10 tests failed: ${failed}` })
    expect(output).not.toContain(repository.outside)
  })

  test('a test file that cannot be loaded fails the tests and is named without the folder it lies in', async () => {
    const repository = await copyExample()
    await repository.write({ 'test/broken.test.ts': "throw new Error('boom')\n" })
    const { code, output } = await run(repository, ['npm', 'test', '--silent'])
    expect({ code, last: lastLine(output) }).toEqual({ code: 1, last: '1 of 11 tests failed: "dist/test/broken.test.js"' })
  })

  test('the three recipes touch different files, so that their tickets merge in any order', async () => {
    const repository = await copyExample()
    const touched: string[] = []
    for (const name of ['zones', 'format-money', 'simplify-rounding']) {
      touched.push(...(await runRecipe(repository, name)))
      await repository.git.run(['checkout', '--quiet', '--', '.'])
    }
    expect(new Set(touched).size).toBe(touched.length)
  })
})
