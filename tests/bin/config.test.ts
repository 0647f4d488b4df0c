import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeRepository } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const FILE = '.valuetrain/config.yaml'
const TEXT = `# Ours.
merge: person # until we trust it
commands:
  test: [npm, test]

drive: { parallel: 2 }
`

async function place(text: string | null = TEXT) {
  const repository = await makeRepository()
  if (text !== null) await repository.commit({ [FILE]: text }, 'Configure')
  const terminal = openTerminal({ dir: repository.dir, env: repository.env })
  return { repository, terminal, text: () => readFile(join(repository.dir, FILE), 'utf8') }
}

describe('config show and why', () => {
  it('say what is read, and where from', async () => {
    const { terminal } = await place()
    expect(
      await terminal.transcript(
        ['config', 'show', 'commands'],
        ['config', 'show', 'drive.parallel', '--json'],
        ['config', 'why', 'merge'],
        ['config', 'why', 'drive.pollMs'],
        ['config', 'why', 'commands.test.0'],
        ['config', 'why', 'merge', '--json'],
      ),
    ).toMatchInlineSnapshot(`
      "$ valuetrain config show commands
      test:
        - npm
        - test

      $ valuetrain config show drive.parallel --json
      {"path":"drive.parallel","value":2}

      $ valuetrain config why merge
      merge  Who merges a delivered change when the command line does not say.
        value    person
        from     .valuetrain/config.yaml:2
        default  person
        takes    auto | person

      $ valuetrain config why drive.pollMs
      drive.pollMs  Auto-Pilot.
        value    5000
        from     the default
        default  5000
        takes    whole number

      $ valuetrain config why commands.test.0
      commands.test.0  Commands that must succeed on every tree, each as a list of program and arguments.
        value    npm
        from     .valuetrain/config.yaml:4
        default  null
        takes    text

      $ valuetrain config why merge --json
      {"path":"merge","value":"person","default":"person","source":"file","line":2,"takes":"auto | person","description":"Who merges a delivered change when the command line does not say."}
      "
    `)
  })

  it('name the nearest key when there is no such key', async () => {
    const { terminal } = await place()
    expect(
      await terminal.transcript(['config', 'why', 'merg'], ['config', 'show', 'workspace.stup'], ['config', 'show', 'merge.x']),
    ).toMatchInlineSnapshot(`
      "$ valuetrain config why merg
      error: there is no key "merg" (did you mean "merge"?)
      hint: the configuration has: version, forge, remote, github, branch, pipeline, agent, merge, attempts, commands, recipes, labels, gates, extensions, workspace, agents, jail, budgets, models, training, router, limits, size, protected, commits, checkIns, drive, delivery, lease
      [exit 2]

      $ valuetrain config show workspace.stup
      error: there is no key "workspace.stup" (did you mean "setup"?)
      hint: workspace has: setup, inputs, cache, env, hosts, tools, keep, root
      [exit 2]

      $ valuetrain config show merge.x
      error: there is no key "merge.x"
      hint: merge has no keys below it
      [exit 2]
      "
    `)
  })

  it('say which file, line and key is wrong', async () => {
    const { terminal, repository } = await place('merge: person\npipelin: x\n')
    expect(await terminal.transcript(['config', 'show'])).toMatchInlineSnapshot(`
      "$ valuetrain config show
      error: .valuetrain/config.yaml: unknown key "pipelin" (did you mean "pipeline"?)
      hint: mend the named key; \`valuetrain config show\` prints what is read
      [exit 2]
      "
    `)
    await repository.write({ [FILE]: 'a: [\n' })
    expect((await terminal.run('config', 'show')).code).toBe(2)
    await repository.write({ [FILE]: '- a list\n' })
    expect(await terminal.transcript(['config', 'show'])).toMatchInlineSnapshot(`
      "$ valuetrain config show
      error: .valuetrain/config.yaml is not a mapping
      hint: write it as \`key: value\` lines
      [exit 2]
      "
    `)
    await repository.write({ [FILE]: '<<<<<<< HEAD\nmerge: auto\n=======\nmerge: person\n>>>>>>> x\n' })
    expect((await terminal.run('config', 'show')).code).toBe(2)
  })
})

describe('config set', () => {
  it('changes one key, keeps comments and order, and commits nothing', async () => {
    const { terminal, repository, text } = await place()
    expect(
      await terminal.transcript(
        ['config', 'set', 'merge', 'auto'],
        ['config', 'set', 'commands.lint', '[npx, biome, check]'],
        ['config', 'set', 'drive.parallel', '3', '--json'],
        ['config', 'set', 'merge', 'auto'],
      ),
    ).toMatchInlineSnapshot(`
      "$ valuetrain config set merge auto
      .valuetrain/config.yaml: merge is now auto (it was person)
      next: commit it; runs and gates read committed configuration only

      $ valuetrain config set commands.lint '[npx, biome, check]'
      .valuetrain/config.yaml: commands.lint is now [npx, biome, check] (it was not set)
      next: commit it; runs and gates read committed configuration only

      $ valuetrain config set drive.parallel 3 --json
      {"file":".valuetrain/config.yaml","path":"drive.parallel","value":3,"was":2,"changed":true}

      $ valuetrain config set merge auto
      merge is auto already; nothing written
      "
    `)
    expect(await text()).toMatchInlineSnapshot(`
      "# Ours.
      merge: auto # until we trust it
      commands:
        test: [npm, test]
        lint: [npx, biome, check]

      drive: { parallel: 3 }
      "
    `)
    expect(await repository.git.text(['status', '--porcelain'])).toBe(` M ${FILE}`)
  })

  it('writes the file when there is none', async () => {
    const { terminal, text } = await place(null)
    expect((await terminal.run('config', 'set', 'checkIns', '[before-push]')).code).toBe(0)
    expect(await text()).toBe('checkIns: [before-push]\n')
  })

  it('keeps CRLF line ends', async () => {
    const { terminal, text } = await place('merge: person\r\nattempts: 3\r\n')
    expect((await terminal.run('config', 'set', 'attempts', '5')).code).toBe(0)
    expect(await text()).toBe('merge: person\r\nattempts: 5\r\n')
  })

  it('never writes an invalid file', async () => {
    const { terminal, text } = await place()
    expect(
      await terminal.transcript(
        ['config', 'set', 'merge', 'atuo'],
        ['config', 'set', 'commands.test', 'npm test'],
        ['config', 'set', 'attempts', '[1'],
        ['config', 'set', 'attempts', '0'],
        ['config', 'set', 'merg', 'auto'],
      ),
    ).toMatchInlineSnapshot(`
      "$ valuetrain config set merge atuo
      error: .valuetrain/config.yaml: merge: expected one of auto, person (did you mean "auto"?)
      hint: mend the named key; \`valuetrain config show\` prints what is read
      [exit 2]

      $ valuetrain config set commands.test 'npm test'
      error: .valuetrain/config.yaml: commands.test: expected a list, not "npm test"
      hint: mend the named key; \`valuetrain config show\` prints what is read
      [exit 2]

      $ valuetrain config set attempts '[1'
      error: the value of attempts: Flow sequence must end with a ] at line 1, column 3:
      hint: mend the YAML at that line
      [exit 2]

      $ valuetrain config set attempts 0
      error: .valuetrain/config.yaml: attempts: has to be at least 1, not 0
      hint: mend the named key; \`valuetrain config show\` prints what is read
      [exit 2]

      $ valuetrain config set merg auto
      error: there is no key "merg" (did you mean "merge"?)
      hint: the configuration has: version, forge, remote, github, branch, pipeline, agent, merge, attempts, commands, recipes, labels, gates, extensions, workspace, agents, jail, budgets, models, training, router, limits, size, protected, commits, checkIns, drive, delivery, lease
      [exit 2]
      "
    `)
    expect(await text()).toBe(TEXT)
  })

  it('mends a file that was broken by the very key', async () => {
    const { terminal, text } = await place('merge: atuo\n')
    expect((await terminal.run('config', 'set', 'merge', 'auto')).code).toBe(0)
    expect(await text()).toBe('merge: auto\n')
  })
})
