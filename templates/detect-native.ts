import type { Clues, CommandName, FoundCommand, Look, Workspace } from './clues.ts'
import { type RegistrySources, registryHosts } from './registries.ts'

/** Target names that mean a command, best first. */
const TARGETS: Readonly<Record<CommandName, readonly string[]>> = {
  lint: ['lint'],
  types: ['typecheck', 'type-check', 'types', 'mypy'],
  build: ['build'],
  test: ['test', 'tests', 'check'],
}

/** Returns what the targets of a Makefile say. */
export async function detectMake(look: Look): Promise<Clues | undefined> {
  const file = look.has('GNUmakefile', 'makefile', 'Makefile')
  if (!file) return undefined
  const text = (await look.read(file)) ?? ''
  const targets = new Set(
    [...text.matchAll(/^([A-Za-z0-9][\w.-]*(?:[ \t]+[A-Za-z0-9][\w.-]*)*)[ \t]*::?(?!=)/gm)].flatMap(([, names = '']) =>
      names.split(/\s+/),
    ),
  )
  const commands: Partial<Record<CommandName, FoundCommand>> = {}
  for (const [name, candidates] of Object.entries(TARGETS) as [CommandName, readonly string[]][]) {
    const target = candidates.find((candidate) => targets.has(candidate))
    if (target) commands[name] = { argv: ['make', target], from: `${file} target ${target}` }
  }
  const recipe = ['format', 'fmt'].find((name) => targets.has(name))
  return { commands, ...(recipe ? { recipes: { [recipe]: [['make', recipe]] } } : {}) }
}

/** Returns what Cargo.toml says. Clippy is asked only where the repository configures it: it need not be installed. */
export async function detectRust(look: Look): Promise<Clues | undefined> {
  if (!look.has('Cargo.toml')) return undefined
  const lock = look.has('Cargo.lock')
  const clippy = look.has('clippy.toml', '.clippy.toml')
  const locked = lock ? ['--locked'] : []
  return {
    language: 'rust',
    packageManager: 'cargo',
    commands: {
      ...(clippy
        ? { lint: { argv: ['cargo', 'clippy', ...locked, '--all-targets', '--', '-D', 'warnings'], from: clippy } }
        : {}),
      build: { argv: ['cargo', 'build', ...locked], from: 'Cargo.toml' },
      test: { argv: ['cargo', 'test', ...locked], from: 'Cargo.toml' },
    },
    recipes: { format: [['cargo', 'fmt']] },
    // The lock file names the index of the public registry by an address that Cargo itself no longer asks, so only
    // settings count; without them the hosts are the operator's to name.
    ...(lock
      ? { workspace: await workspaceOf(look, [['cargo', 'fetch', '--locked']], lock, { files: ['.cargo/config.toml'] }) }
      : {}),
    ...(look.ignored.has('target')
      ? {}
      : { notes: ['target is not in .gitignore; add it, or what Cargo builds will be taken for work'] }),
  }
}

/** Returns what go.mod says. */
export async function detectGo(look: Look): Promise<Clues | undefined> {
  if (!look.has('go.mod')) return undefined
  const linter = look.has('.golangci.yml', '.golangci.yaml', '.golangci.toml', '.golangci.json')
  const sums = look.has('go.sum')
  return {
    language: 'go',
    packageManager: 'go',
    commands: {
      lint: linter ? { argv: ['golangci-lint', 'run'], from: linter } : { argv: ['go', 'vet', './...'], from: 'go.mod' },
      build: { argv: ['go', 'build', './...'], from: 'go.mod' },
      test: { argv: ['go', 'test', './...'], from: 'go.mod' },
    },
    recipes: { format: [['go', 'fmt', './...']] },
    ...(sums
      ? {
          workspace: await workspaceOf(look, [['go', 'mod', 'download']], sums, {
            files: [],
            ask: ['go', 'env', 'GOPROXY', 'GOSUMDB'],
          }),
        }
      : {}),
  }
}

/** Returns what pyproject.toml and the configuration files of Python's tools say. A tool counts only when it is configured. */
export async function detectPython(look: Look): Promise<Clues | undefined> {
  const project = await look.read('pyproject.toml')
  const setup = await look.read('setup.cfg')
  const requirements = look.has('requirements-dev.txt', 'requirements.txt')
  if (project === undefined && setup === undefined && !requirements && !look.has('setup.py', 'tox.ini')) return undefined
  const { packageManager, run, workspace } = await pythonManager(look, project)
  const table = (name: string) => new RegExp(`^\\s*\\[+tool\\.${name}[.\\]]`, 'm').test(project ?? '')
  const section = (name: string) => new RegExp(`^\\s*\\[${name}`, 'm').test(setup ?? '')
  const needs = async (name: string) => {
    const texts = [project, requirements ? await look.read(requirements) : undefined]
    return texts.some((text) => new RegExp(`(^|["'\\s])${name}([\\s"'=<>~!;\\[]|$)`, 'm').test(text ?? ''))
  }
  const tool = (argv: string[], from: string | undefined): FoundCommand | undefined =>
    from === undefined ? undefined : { argv: [...run, ...argv], from }
  const lint =
    tool(['ruff', 'check', '.'], table('ruff') ? 'pyproject.toml [tool.ruff]' : look.has('ruff.toml', '.ruff.toml')) ??
    tool(['flake8'], section('flake8') ? 'setup.cfg [flake8]' : look.has('.flake8'))
  const types =
    tool(
      ['mypy', '.'],
      table('mypy') ? 'pyproject.toml [tool.mypy]' : section('mypy') ? 'setup.cfg [mypy]' : look.has('mypy.ini', '.mypy.ini'),
    ) ?? tool(['pyright'], table('pyright') ? 'pyproject.toml [tool.pyright]' : look.has('pyrightconfig.json'))
  const pytest = table('pytest')
    ? 'pyproject.toml [tool.pytest]'
    : (look.has('pytest.ini', 'conftest.py') ?? ((await needs('pytest')) ? 'the listed dependencies' : undefined))
  const test =
    pytest === undefined ? undefined : { argv: run.length > 0 ? [...run, 'pytest'] : ['python3', '-m', 'pytest'], from: pytest }
  return {
    language: 'python',
    ...(packageManager === undefined ? {} : { packageManager }),
    commands: { ...(lint ? { lint } : {}), ...(types ? { types } : {}), ...(test ? { test } : {}) },
    recipes: table('ruff') ? { format: [[...run, 'ruff', 'format', '.']] } : {},
    ...(workspace ? { workspace } : {}),
  }
}

async function pythonManager(
  look: Look,
  project: string | undefined,
): Promise<{ packageManager?: string; run: string[]; workspace?: Clues['workspace'] }> {
  if (look.has('uv.lock')) {
    const workspace = await workspaceOf(look, [['uv', 'sync', '--frozen']], 'uv.lock', { files: ['uv.lock'] }, ['.venv'])
    return { packageManager: 'uv', run: ['uv', 'run', '--frozen'], workspace }
  }
  if (look.has('poetry.lock') || /^\s*\[tool\.poetry[.\]]/m.test(project ?? '')) {
    const lock = look.has('poetry.lock')
    const workspace = lock
      ? await workspaceOf(look, [['poetry', 'install', '--no-interaction']], lock, { files: [lock] })
      : undefined
    return { packageManager: 'poetry', run: ['poetry', 'run'], ...(workspace ? { workspace } : {}) }
  }
  return { run: [] }
}

async function workspaceOf(
  look: Look,
  setup: string[][],
  lock: string,
  sources: RegistrySources,
  cache: string[] = [],
): Promise<Workspace> {
  return { setup, inputs: [lock], cache, hosts: await registryHosts(look, sources) }
}
