import { describe, expect, it } from 'vitest'
import { type Detected, detect } from '../../templates/index.ts'
import { readerOfFiles } from '../support/reader.ts'

const json = (value: unknown) => JSON.stringify(value)

/** What was found, short: languages, managers, commands as words, set-up, notes. */
async function found(files: Record<string, string>) {
  const detected: Detected = await detect(readerOfFiles(files))
  return {
    languages: detected.languages.join(' '),
    managers: detected.packageManagers.join(' '),
    commands: Object.fromEntries(Object.entries(detected.commands).map(([name, command]) => [name, command.argv.join(' ')])),
    setup: detected.workspace.setup.map((argv) => argv.join(' ')),
    inputs: detected.workspace.inputs,
    cache: detected.workspace.cache,
  }
}
const nothing = { languages: '', managers: '', commands: {}, setup: [], inputs: [], cache: [] }

describe('detection', () => {
  it('finds nothing where nothing is', async () => {
    expect(await found({ 'README.md': '# x' })).toEqual(nothing)
  })

  it('takes scripts of package.json by what they do, with the manager of the lock file', async () => {
    const scripts = { 'lint:check': 'eslint .', typecheck: 'tsc', build: 'vite build', test: 'vitest run' }
    const base = { 'package.json': json({ scripts, dependencies: { a: '1' } }), 'tsconfig.json': '{}' }
    const commands = (manager: string) => ({
      lint: `${manager} run lint:check`,
      types: `${manager} run typecheck`,
      build: `${manager} run build`,
      test: `${manager} run test`,
    })
    const node = { languages: 'typescript', cache: ['node_modules'] }
    expect(await found({ ...base, 'package-lock.json': '{}' })).toEqual({
      ...node,
      managers: 'npm',
      commands: commands('npm'),
      setup: ['npm ci --no-audit --no-fund'],
      inputs: ['package-lock.json'],
    })
    expect(await found({ ...base, 'pnpm-lock.yaml': '' })).toEqual({
      ...node,
      managers: 'pnpm',
      commands: commands('pnpm'),
      setup: ['pnpm install --frozen-lockfile'],
      inputs: ['pnpm-lock.yaml'],
    })
    expect(await found({ ...base, 'yarn.lock': '# yarn lockfile v1' })).toEqual({
      ...node,
      managers: 'yarn',
      commands: commands('yarn'),
      setup: ['yarn install --frozen-lockfile'],
      inputs: ['yarn.lock'],
    })
    expect(await found({ ...base, 'yarn.lock': '__metadata:\n  version: 8' })).toMatchObject({
      setup: ['yarn install --immutable'],
    })
    expect(await found({ ...base, 'bun.lock': '' })).toEqual({
      ...node,
      managers: 'bun',
      commands: commands('bun'),
      setup: ['bun install --frozen-lockfile'],
      inputs: ['bun.lock'],
    })
    expect(await found(base)).toEqual({
      ...node,
      managers: 'npm',
      commands: commands('npm'),
      setup: ['npm install --no-audit --no-fund'],
      inputs: ['package.json'],
    })
    expect(await found({ ...base, 'package.json': json({ scripts, packageManager: 'pnpm@9.0.0' }) })).toMatchObject({
      managers: 'pnpm',
      setup: [],
    })
  })

  it('never takes a script that always fails or never ends, and says so', async () => {
    const scripts = {
      test: 'echo "Error: no test specified" && exit 1',
      lint: 'eslint --watch .',
      build: 'exit 1',
      'test:unit': 'node --test',
    }
    const detected = await detect(readerOfFiles({ 'package.json': json({ scripts }) }))
    expect(detected.commands).toEqual({ test: { argv: ['npm', 'run', 'test:unit'], from: 'package.json scripts.test:unit' } })
    expect(detected.notes).toEqual([
      'package.json scripts.lint watches and never ends, so it is not used',
      'package.json scripts.build always fails, so it is not used',
      'package.json scripts.test is the placeholder that npm writes, so it is not used',
    ])
  })

  it('checks types with the repository’s own compiler where no script does', async () => {
    const files = { 'package.json': json({ devDependencies: { typescript: '5' } }), 'tsconfig.json': '{}' }
    expect((await found(files)).commands).toEqual({ types: 'npx --no-install tsc --noEmit' })
  })

  it('makes recipes of scripts that rewrite files', async () => {
    const scripts = { format: 'prettier -w .', 'lint:fix': 'eslint --fix .', fix: 'x --check' }
    const { recipes } = await detect(readerOfFiles({ 'package.json': json({ scripts }) }))
    expect(recipes).toEqual({ format: [['npm', 'run', 'format']], 'lint-fix': [['npm', 'run', 'lint:fix']] })
  })

  it('survives a package.json that does not parse', async () => {
    const detected = await detect(readerOfFiles({ 'package.json': '{,}' }))
    expect([detected.commands, detected.notes]).toEqual([{}, ['package.json does not parse, so no command was taken from it']])
  })

  it('takes targets of a Makefile before what a language usually does, and fills the gaps', async () => {
    const makefile =
      'VERSION := 1\n.PHONY: test lint\nlint vet: deps\n\tgolangci-lint run\ntest:\n\tgo test ./...\nfmt:\n\tgofmt -w .\n'
    expect(await found({ Makefile: makefile, 'go.mod': 'module x', 'go.sum': '' })).toEqual({
      languages: 'go',
      managers: 'go',
      commands: { lint: 'make lint', build: 'go build ./...', test: 'make test' },
      setup: ['go mod download'],
      inputs: ['go.sum'],
      cache: [],
    })
  })

  it('knows Cargo, and asks Clippy only where it is configured', async () => {
    expect((await found({ 'Cargo.toml': '' })).commands).toEqual({ build: 'cargo build', test: 'cargo test' })
    expect(await found({ 'Cargo.toml': '', 'Cargo.lock': '', 'clippy.toml': '', '.gitignore': '/target\n' })).toEqual({
      languages: 'rust',
      managers: 'cargo',
      commands: {
        lint: 'cargo clippy --locked --all-targets -- -D warnings',
        build: 'cargo build --locked',
        test: 'cargo test --locked',
      },
      setup: ['cargo fetch --locked'],
      inputs: ['Cargo.lock'],
      cache: [],
    })
  })

  it('knows Python’s tools by their configuration, and the runner that knows them', async () => {
    const pyproject =
      '[project]\nname = "x"\n[tool.ruff]\nline-length = 100\n[tool.mypy]\nstrict = true\n[tool.pytest.ini_options]\n'
    expect((await found({ 'pyproject.toml': pyproject })).commands).toEqual({
      lint: 'ruff check .',
      types: 'mypy .',
      test: 'python3 -m pytest',
    })
    expect(await found({ 'pyproject.toml': pyproject, 'uv.lock': '' })).toMatchObject({
      managers: 'uv',
      commands: { lint: 'uv run --frozen ruff check .', types: 'uv run --frozen mypy .', test: 'uv run --frozen pytest' },
      cache: ['.venv'],
    })
    expect(
      (
        await found({
          'pyproject.toml': '[tool.poetry]\n[tool.poetry.group.dev.dependencies]\npytest = "8"\n',
          'poetry.lock': '',
        })
      ).commands,
    ).toEqual({ test: 'poetry run pytest' })
    expect((await found({ 'requirements.txt': 'flask==3\n' })).commands).toEqual({})
    expect((await found({ 'requirements.txt': 'flask\npytest>=8\n', '.flake8': '' })).commands).toEqual({
      lint: 'flake8',
      test: 'python3 -m pytest',
    })
  })

  it('knows Deno, whose tasks come before its own tools', async () => {
    const deno = '// ours\n{ "tasks": { "test": "deno test -A" } }'
    expect((await found({ 'deno.jsonc': deno })).commands).toEqual({ lint: 'deno lint', test: 'deno task test' })
  })

  it('knows the hosts of set-up from lock file and settings, or from the package manager, and else asks for them', async () => {
    const hosts = async (files: Record<string, string>, answers: Record<string, string> = {}) => {
      const { workspace, notes } = await detect(
        readerOfFiles({ '.gitignore': 'node_modules\n.venv\ntarget\n', ...files }),
        async (argv) => answers[argv.join(' ')],
      )
      return { hosts: workspace.hosts, unknown: notes.filter((note) => note.includes('workspace.hosts')).length }
    }
    const manifest = json({ dependencies: { a: '1' } })
    const lock = JSON.stringify(
      {
        packages: {
          'node_modules/a': {
            resolved: 'https://packages.example.com/a/-/a-1.tgz',
            funding: { url: 'https://sponsor.example.com' },
          },
          'node_modules/b': { resolved: 'git+ssh://git@git.example.com/b.git#1' },
        },
      },
      null,
      2,
    )
    const node = { 'package.json': manifest }
    expect(await hosts({ ...node, 'package-lock.json': lock })).toEqual({ hosts: ['packages.example.com'], unknown: 0 })
    expect(
      await hosts({
        ...node,
        'package-lock.json': lock,
        '.npmrc': '@ours:registry=https://ours.example.com:8443/npm/\n//ours.example.com/:_authToken=x',
      }),
    ).toEqual({ hosts: ['ours.example.com:8443', 'packages.example.com'], unknown: 0 })
    const classic = '# yarn lockfile v1\na@1:\n  version "1.0.0"\n  resolved "https://yarn.example.com/a.tgz#f00"\n'
    expect(await hosts({ ...node, 'yarn.lock': classic })).toMatchObject({ hosts: ['yarn.example.com'] })
    expect(
      await hosts({ ...node, 'yarn.lock': '__metadata:\n', '.yarnrc.yml': 'npmRegistryServer: "https://berry.example.com"\n' }),
    ).toMatchObject({
      hosts: ['berry.example.com'],
    })
    const asked = { 'pnpm config get registry': 'https://mirror.example.com/\n' }
    expect(await hosts({ ...node, 'pnpm-lock.yaml': 'lockfileVersion: 9\n' }, asked)).toEqual({
      hosts: ['mirror.example.com'],
      unknown: 0,
    })
    expect(await hosts({ ...node, 'pnpm-lock.yaml': 'lockfileVersion: 9\n' })).toEqual({ hosts: [], unknown: 1 })
    const uv = [
      '[[package]]',
      'name = "a"',
      'source = { registry = "https://index.example.com/simple" }',
      'sdist = { url = "https://files.example.com/a.tar.gz", hash = "sha256:0" }',
    ].join('\n')
    expect(await hosts({ 'pyproject.toml': '', 'uv.lock': uv })).toMatchObject({
      hosts: ['files.example.com', 'index.example.com'],
    })
    const cargo = { 'Cargo.toml': '', 'Cargo.lock': 'source = "registry+https://git.example.com/index"' }
    expect(await hosts(cargo)).toEqual({ hosts: [], unknown: 1 })
    expect(
      await hosts({ ...cargo, '.cargo/config.toml': '[source.ours]\nregistry = "sparse+https://crates.example.com/index/"\n' }),
    ).toMatchObject({
      hosts: ['crates.example.com'],
    })
    const go = { 'go env GOPROXY GOSUMDB': 'https://modules.example.com|https://second.example.com,direct\nsum.example.com\n' }
    expect(await hosts({ 'go.mod': '', 'go.sum': '' }, go)).toMatchObject({
      hosts: ['modules.example.com', 'second.example.com', 'sum.example.com'],
    })
  })

  it('warns when what set-up fills is not ignored by git', async () => {
    const files = { 'package.json': json({ dependencies: { a: '1' } }) }
    const silent = async () => 'https://packages.example.com/'
    expect((await detect(readerOfFiles(files), silent)).notes).toEqual([
      "node_modules is not in .gitignore; add it, or set-up's files will be taken for work",
    ])
    expect((await detect(readerOfFiles({ ...files, '.gitignore': 'node_modules/\n' }), silent)).notes).toEqual([])
  })
})
