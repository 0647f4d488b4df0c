import type { Clues, CommandName, FoundCommand, Look, Workspace } from './clues.ts'
import { registryHosts } from './registries.ts'

/** Script names that mean a command, best first. */
const SCRIPTS: Readonly<Record<CommandName, readonly string[]>> = {
  lint: ['lint', 'lint:check', 'check:lint', 'eslint', 'biome'],
  types: ['typecheck', 'type-check', 'types', 'types:check', 'check-types', 'check:types', 'tsc'],
  build: ['build', 'compile'],
  test: ['test', 'tests', 'test:unit', 'unit'],
}

/** Scripts that rewrite files in a known way and so make good recipes. */
const RECIPES = ['format', 'fmt', 'lint:fix', 'fix'] as const

interface Manager {
  name: 'npm' | 'pnpm' | 'yarn' | 'bun'
  lock: string | undefined
  setup: string[]
}

/** Returns what package.json and the lock files beside it say. */
export async function detectJavaScript(look: Look): Promise<Clues | undefined> {
  const text = await look.read('package.json')
  if (text === undefined) return undefined
  const manifest = parseObject(text)
  if (!manifest) return { language: 'javascript', notes: ['package.json does not parse, so no command was taken from it'] }
  const dependencies = { ...asRecord(manifest.dependencies), ...asRecord(manifest.devDependencies) }
  const hasTypeScript = look.has('tsconfig.json') !== undefined || 'typescript' in dependencies
  const manager = await managerOf(look, manifest)
  const { commands, recipes, notes } = readScripts(asRecord(manifest.scripts), manager.name)
  if (commands.types === undefined && look.has('tsconfig.json') && 'typescript' in dependencies) {
    commands.types = { argv: [...EXEC[manager.name], 'tsc', '--noEmit'], from: 'tsconfig.json' }
  }
  return {
    language: hasTypeScript ? 'typescript' : 'javascript',
    packageManager: manager.name,
    commands,
    recipes,
    notes,
    ...(needsSetup(manifest, manager) ? { workspace: await workspaceOf(look, manager) } : {}),
  }
}

/** Returns what deno.json says; Deno brings its own linter, checker and test runner. */
export async function detectDeno(look: Look): Promise<Clues | undefined> {
  const file = look.has('deno.json', 'deno.jsonc')
  if (!file) return undefined
  // A deno.jsonc with comments is read without them; what still does not parse has no tasks we can know.
  const manifest = parseObject(((await look.read(file)) ?? '').replace(/^\s*\/\/.*$/gm, '')) ?? {}
  const tasks = asRecord(manifest.tasks)
  const task = (name: CommandName): FoundCommand | undefined => {
    const found = SCRIPTS[name].find((script) => script in tasks)
    return found === undefined ? undefined : { argv: ['deno', 'task', found], from: `${file} tasks.${found}` }
  }
  const lock = look.has('deno.lock')
  return {
    language: 'typescript',
    packageManager: 'deno',
    commands: withoutUndefined({
      lint: task('lint') ?? { argv: ['deno', 'lint'], from: file },
      types: task('types'),
      build: task('build'),
      test: task('test') ?? { argv: ['deno', 'test'], from: file },
    }),
    ...(lock
      ? {
          workspace: {
            setup: [['deno', 'install', '--frozen']],
            inputs: [lock],
            cache: [],
            hosts: await registryHosts(look, { files: [lock, '.npmrc'] }),
          },
        }
      : {}),
  }
}

const EXEC = {
  npm: ['npx', '--no-install'],
  pnpm: ['pnpm', 'exec'],
  yarn: ['yarn', 'run'],
  bun: ['bunx', '--no-install'],
} as const

function readScripts(scripts: Record<string, unknown>, manager: Manager['name']) {
  const commands: Partial<Record<CommandName, FoundCommand>> = {}
  const notes: string[] = []
  for (const [name, candidates] of Object.entries(SCRIPTS) as [CommandName, readonly string[]][]) {
    for (const script of candidates.filter((candidate) => typeof scripts[candidate] === 'string')) {
      const reason = whyUseless(scripts[script] as string)
      if (reason) notes.push(`package.json scripts.${script} ${reason}, so it is not used`)
      else {
        commands[name] = { argv: [manager, 'run', script], from: `package.json scripts.${script}` }
        break
      }
    }
  }
  const recipes: Record<string, string[][]> = {}
  for (const script of RECIPES) {
    const line = scripts[script]
    if (typeof line === 'string' && !/--check\b/.test(line) && !whyUseless(line)) {
      recipes[script.replace(':', '-')] = [[manager, 'run', script]]
    }
  }
  return { commands, recipes, notes }
}

/** A script that always fails or never ends would hold every change up. */
function whyUseless(line: string): string | undefined {
  if (/no test specified/i.test(line)) return 'is the placeholder that npm writes'
  if (/^\s*(exit 1|false)\s*$/.test(line)) return 'always fails'
  if (line.trim() === '') return 'is empty'
  if (/\s--watch(All)?(\s|=true|$)|\b(tsc|mocha|rollup|webpack)\b.*\s-w(\s|$)|\bnodemon\b|^vite( dev)?$/.test(line))
    return 'watches and never ends'
  return undefined
}

async function managerOf(look: Look, manifest: Record<string, unknown>): Promise<Manager> {
  const named =
    typeof manifest.packageManager === 'string' ? /^(npm|pnpm|yarn|bun)\b/.exec(manifest.packageManager)?.[1] : undefined
  const locks = {
    npm: look.has('package-lock.json', 'npm-shrinkwrap.json'),
    pnpm: look.has('pnpm-lock.yaml'),
    yarn: look.has('yarn.lock'),
    bun: look.has('bun.lock', 'bun.lockb'),
  }
  const order = ['pnpm', 'yarn', 'bun', 'npm'] as const
  const name = (named as Manager['name'] | undefined) ?? order.find((one) => locks[one] !== undefined) ?? 'npm'
  return { name, lock: locks[name], setup: await setupOf(look, name, locks[name] !== undefined) }
}

async function setupOf(look: Look, name: Manager['name'], locked: boolean): Promise<string[]> {
  if (name === 'npm') return ['npm', locked ? 'ci' : 'install', '--no-audit', '--no-fund']
  if (!locked) return [name, 'install']
  return [name, 'install', name === 'yarn' && (await isBerry(look)) ? '--immutable' : '--frozen-lockfile']
}

/** Yarn from version 2 on has other options and other settings. */
async function isBerry(look: Look): Promise<boolean> {
  return look.has('.yarnrc.yml') !== undefined || /^__metadata:/m.test((await look.read('yarn.lock')) ?? '')
}

function needsSetup(manifest: Record<string, unknown>, manager: Manager): boolean {
  const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'workspaces'] as const
  return manager.lock !== undefined || fields.some((field) => Object.keys(asRecord(manifest[field])).length > 0)
}

async function workspaceOf(look: Look, manager: Manager): Promise<Workspace> {
  const hosts = await registryHosts(look, { files: [manager.lock, ...SETTINGS], ask: await questionOf(look, manager) })
  return { setup: [manager.setup], inputs: [manager.lock ?? 'package.json'], cache: ['node_modules'], hosts }
}

/** Files in which a repository tells its package manager another registry, whole or for a scope. */
const SETTINGS = ['.npmrc', '.yarnrc.yml', 'bunfig.toml'] as const

/** Bun reads npm's settings and has no command that prints them. */
async function questionOf(look: Look, { name }: Manager): Promise<string[]> {
  if (name === 'yarn') return ['yarn', 'config', 'get', (await isBerry(look)) ? 'npmRegistryServer' : 'registry']
  return [name === 'pnpm' ? 'pnpm' : 'npm', 'config', 'get', 'registry']
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function withoutUndefined<T>(record: Record<string, T | undefined>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== undefined))
}
