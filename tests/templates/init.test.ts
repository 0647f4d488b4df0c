import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../core/config.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const manifest = JSON.stringify({ name: 'x', scripts: { lint: 'eslint .', test: 'node --test' }, dependencies: { a: '1' } })

/** Every file of a folder with its content, the git directory left out. */
async function filesOf(dir: string): Promise<Record<string, string>> {
  const names = await readdir(dir, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile() && !`${entry.parentPath}/`.includes('/.git/'))
  const pairs = await Promise.all(
    files.map(
      async ({ parentPath, name }) =>
        [join(parentPath, name).slice(dir.length + 1), await readFile(join(parentPath, name), 'utf8')] as const,
    ),
  )
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)))
}

describe('init', () => {
  it('writes configuration, attributes and the issue folder, and says what comes next', async () => {
    const repository = await makeRepository({
      'package.json': manifest,
      'package-lock.json': '{}',
      '.gitignore': 'node_modules\n',
    })
    const before = await repository.git.text(['rev-parse', 'HEAD'])
    expect(await openTerminal(repository).transcript(['init'])).toMatchInlineSnapshot(`
      "$ valuetrain init
      found
        language  javascript
        packages  npm
        lint      npm run lint  (package.json scripts.lint)
        test      npm run test  (package.json scripts.test)
        branch    main
        remote    none
        forge     local
      written
        write  .valuetrain/config.yaml       the configuration
        write  .gitattributes                keeps session files byte for byte
        write  .valuetrain/issues/README.md  says how issues are written
      next
        1. look it over and commit it: git add .valuetrain .gitattributes && git commit -m "Set up Value Train"
        2. write an issue: valuetrain issue new --title "…" --label auto
        3. work it: valuetrain run 1 (or \`valuetrain drive\` for the queue); \`valuetrain doctor\` says what is missing
      "
    `)
    const files = await filesOf(repository.dir)
    expect(parseConfig(files['.valuetrain/config.yaml'] as string)).toMatchObject({
      forge: 'local',
      branch: 'main',
      remote: null,
      commands: { lint: ['npm', 'run', 'lint'], test: ['npm', 'run', 'test'] },
      workspace: { setup: [['npm', 'ci', '--no-audit', '--no-fund']], inputs: ['package-lock.json'], cache: ['node_modules'] },
    })
    expect(files['.valuetrain/config.yaml']).toContain('# The default branch, which changes are merged into.\nbranch: main\n')
    expect(await repository.git.text(['rev-parse', 'HEAD'])).toBe(before)
    expect(await repository.git.text(['diff', '--cached', '--name-only'])).toBe('')
  })

  it('changes nothing the second time', async () => {
    const repository = await makeRepository({ 'package.json': manifest })
    const terminal = openTerminal(repository)
    await terminal.run('init', '--forge', 'github')
    const first = await filesOf(repository.dir)
    expect(Object.keys(first)).toEqual([
      '.gitattributes',
      '.github/ISSUE_TEMPLATE/mitigation.md',
      '.github/ISSUE_TEMPLATE/product-requirement.md',
      '.github/ISSUE_TEMPLATE/risk.md',
      '.github/ISSUE_TEMPLATE/task.md',
      '.github/ISSUE_TEMPLATE/user-story.md',
      '.github/pull_request_template.md',
      '.valuetrain/config.yaml',
      'package.json',
    ])
    const second = await terminal.run('init', '--forge', 'github')
    expect(second.stdout).toContain('nothing written: everything is there')
    expect(await filesOf(repository.dir)).toEqual(first)
  })

  it('writes nothing with --plan', async () => {
    const repository = await makeRepository({ 'package.json': manifest })
    const before = await filesOf(repository.dir)
    const { code, stdout } = await openTerminal(repository).run('init', '--plan')
    expect([code, stdout.includes('write  .valuetrain/config.yaml')]).toEqual([0, true])
    expect(await filesOf(repository.dir)).toEqual(before)
  })

  it('never overwrites a foreign file, and only adds a marked block to .gitattributes', async () => {
    const foreign = {
      '.valuetrain/config.yaml': 'merge: auto # ours\n',
      '.gitattributes': '*.png binary\r\n*.sh text eol=lf',
      '.github/PULL_REQUEST_TEMPLATE.md': 'ours\n',
      '.github/ISSUE_TEMPLATE/bug.yml': 'ours\n',
    }
    const repository = await makeRepository(foreign)
    await openTerminal(repository).run('init', '--yes')
    const files = await filesOf(repository.dir)
    const { '.gitattributes': attributes, ...rest } = foreign
    expect(files).toMatchObject(rest)
    expect(files['.gitattributes']?.startsWith(`${attributes}\r\n\r\n# valuetrain: begin\r\n`)).toBe(true)
    expect(Object.keys(files).filter((path) => path.startsWith('.github'))).toEqual([
      '.github/ISSUE_TEMPLATE/bug.yml',
      '.github/PULL_REQUEST_TEMPLATE.md',
    ])
    const attribute = await repository.git.text(['check-attr', 'merge', 'eol', '--', '.valuetrain/tickets/build_1/session-X.md'])
    expect(attribute.split('\n').map((line) => line.split(': ').slice(1).join(' '))).toEqual(['merge unspecified', 'eol lf'])
  })

  it('works before the first commit and from a subfolder, for the whole repository', async () => {
    const repository = await makeRepository({})
    await mkdir(join(repository.dir, 'a/b'), { recursive: true })
    const { code } = await openTerminal({ ...repository, dir: join(repository.dir, 'a/b') }).run('init')
    expect([code, Object.keys(await filesOf(repository.dir))]).toEqual([
      0,
      ['.gitattributes', '.valuetrain/config.yaml', '.valuetrain/issues/README.md'],
    ])
  })

  it('takes the default branch from the remote and the remote by its name', async () => {
    const origin = await makeRepository({ 'README.md': 'x' })
    await origin.git.run(['branch', '--move', 'main', 'trunk'])
    const clone = await makeRepository({})
    await clone.git.run(['remote', 'add', 'upstream', origin.dir])
    await clone.git.run(['fetch', '--quiet', 'upstream'])
    await clone.git.run(['remote', 'set-head', 'upstream', '--auto'])
    const { stdout } = await openTerminal(clone).run('init', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ place: { branch: 'trunk', remote: 'upstream', forge: 'local' } })
  })

  it('says so where there is no repository, and where there is no working tree', async () => {
    const repository = await makeRepository()
    await mkdir(join(repository.outside, 'nowhere'))
    const nowhere = await openTerminal({ ...repository, dir: join(repository.outside, 'nowhere') }).run('init')
    expect([nowhere.code, nowhere.stderr.includes('is not in a git repository')]).toEqual([3, true])
    await repository.git.run(['clone', '--quiet', '--bare', '.', join(repository.outside, 'bare.git')])
    const bare = await openTerminal({ ...repository, dir: join(repository.outside, 'bare.git') }).run('init')
    expect([bare.code, bare.stderr.includes('is bare')]).toEqual([3, true])
  })

  it('writes nothing at all when one place leads out of the repository', async () => {
    const repository = await makeRepository()
    await symlink(repository.outside, join(repository.dir, '.valuetrain'))
    const { code, stderr } = await openTerminal(repository).run('init')
    expect([code !== 0, stderr.includes('leaves')]).toEqual([true, true])
    expect((await readdir(repository.outside)).sort()).toEqual(['home', 'repo'])
    expect(Object.keys(await filesOf(repository.dir))).toEqual(['README.md'])
  })

  it('asks at a terminal, and writes nothing on no', async () => {
    const repository = await makeRepository()
    const no = await openTerminal({ ...repository, interactive: true, stdin: 'n\n' }).run('init')
    expect([no.code, no.stdout.endsWith('nothing written\n')]).toEqual([0, true])
    expect(Object.keys(await filesOf(repository.dir))).toEqual(['README.md'])
    await openTerminal({ ...repository, interactive: true, stdin: 'y\n' }).run('init')
    expect(Object.keys(await filesOf(repository.dir))).toContain('.valuetrain/config.yaml')
  })
})
