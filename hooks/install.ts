import { copyFile, link, lstat, mkdir, readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import { ValuetrainError } from '../core/errors.ts'
import { fileError } from '../core/files.ts'
import type { Git } from '../core/git.ts'
import type { Repository } from '../core/repository.ts'
import { HOOK_NAMES, isDispatcher, renderDispatcher } from './dispatcher.ts'
import { addHuskyLines, huskyFolder, huskyLine } from './husky.ts'
import { type HookPath, hookHome, hookPathOf, hookToolsOf } from './layout.ts'
import { type ChangedSetting, type Manifest, readManifest, type WrittenFile, writeManifest } from './manifest.ts'
import { readSettings } from './settings.ts'
import { uninstallHooks } from './uninstall.ts'
import { writeWithMode } from './write.ts'

export type HookMode = 'native' | 'husky'

/** What installing is told. */
export interface InstallRequest {
  /** Husky where husky is, else native, unless told. */
  mode?: HookMode | undefined
  /** Absolute path of the Node that hooks shall start. */
  node: string
  /** Absolute path of the bundled program, which is copied into the clone. */
  program: string
}

/** What was installed. */
export interface Installed {
  mode: HookMode
  /** Names of hooks that were there and are called first. */
  chained: string[]
  /** Folder git calls hooks from, absolute. */
  folder: string
  /** Setting that was changed, for people; undefined when none was. */
  setting: string | undefined
}

/**
 * Installs the hooks in a clone, for all its worktrees. What is there stays and is called first; an earlier installation is
 * taken away before. The program is copied, so that hooks work while packages are being installed and on every branch.
 *
 * @throws VT_NOT_BUILT, VT_NO_HUSKY, VT_HOOK_IN_THE_WAY, VT_READ_ONLY; then nothing is left half done that
 *   `uninstallHooks` does not take away
 */
export async function installHooks(repository: Repository, request: InstallRequest): Promise<Installed> {
  const { root } = repository
  const home = hookHome(repository)
  if ((await readManifest(home)) !== undefined) await uninstallHooks(repository)
  const mode = request.mode ?? (root !== null && (await hookToolsOf(root)).husky ? 'husky' : 'native')
  const path = await hookPathOf(repository.git, root ?? repository.commonDir, repository.commonDir)
  const { conventional } = await readSettings(repository.git)
  const program = await readFile(request.program).catch((cause) => {
    throw new ValuetrainError('VT_NOT_BUILT', `the hooks' program is not at ${request.program}`, {
      kind: 'environment',
      hint: 'run `npm run build` where valuetrain lies, then this again',
      cause,
    })
  })
  const manifest: Manifest = {
    v: 1,
    mode,
    node: request.node,
    program: sha256(program),
    chain: '',
    conventional,
    folders: [home],
    files: [],
    settings: [],
  }
  await mkdir(home, { recursive: true }).catch((cause) => {
    throw fileError(cause, 'made', home)
  })
  await copyFile(request.program, join(home, 'hook.cjs'))
  manifest.files.push({ path: join(home, 'hook.cjs'), digest: manifest.program })
  const installation = { repository, root, home, manifest, path }
  return mode === 'husky' ? installHusky(installation) : installNative(installation)
}

interface Installation {
  repository: Repository
  root: string | null
  home: string
  manifest: Manifest
  path: HookPath
}

async function installNative({ repository, home, manifest, path }: Installation): Promise<Installed> {
  const { git, commonDir } = repository
  // A folder that a setting names belongs to somebody, maybe to every repository of this user: nothing is written there.
  const isOthers = path.value !== undefined
  const folder = isOthers ? join(home, 'chain') : join(commonDir, 'hooks')
  manifest.chain = isOthers ? (path.scope === 'local' || path.scope === 'worktree' ? (path.value as string) : path.folder) : ''
  if (manifest.chain.startsWith('~')) manifest.chain = path.folder
  if (!(await exists(folder))) manifest.folders.push(folder)
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw fileError(cause, 'made', folder)
  })
  const script = await scriptOf(manifest, home)
  const names = isOthers ? [...new Set([...HOOK_NAMES, ...(await foreignNames(path.folder))])] : HOOK_NAMES
  const planned = await Promise.all(names.map((name) => planHook(folder, name, script, manifest.chain)))
  manifest.files.push(...planned.map(({ content, ...file }) => ({ ...file, digest: sha256(content) })))
  if (isOthers) manifest.settings.push(await settingTo(git, path, folder))
  await writeManifest(home, manifest)
  for (const { path: file, content, chained } of planned) {
    if (chained !== undefined) await link(file, chained)
    await writeWithMode(file, content, 0o755)
  }
  for (const setting of manifest.settings) await applySetting(git, setting)
  const chained = isOthers
    ? await foreignNames(path.folder)
    : planned.filter(({ chained }) => chained !== undefined).map(({ path: file }) => basename(file))
  return { mode: 'native', chained, folder, setting: isOthers ? `core.hooksPath = ${folder}` : undefined }
}

async function installHusky({ repository, root, home, manifest, path }: Installation): Promise<Installed> {
  const { git } = repository
  const folder = huskyFolder(root ?? '')
  if (root === null || !(await exists(join(folder, 'h')))) {
    throw new ValuetrainError('VT_NO_HUSKY', 'husky has not made its folder .husky/_ here', {
      kind: 'environment',
      hint: 'run `npx husky` (or the prepare script of package.json) first, or use `--mode native`',
    })
  }
  if (path.value !== undefined && path.folder !== folder) {
    throw new ValuetrainError('VT_HOOKS_PATH', `core.hooksPath is ${path.value}, which is not husky's folder`, {
      kind: 'environment',
      hint: 'use `--mode native`, which calls the hooks of that folder first',
    })
  }
  const script = await scriptOf(manifest, home)
  manifest.files.push({ path: join(home, 'dispatch'), digest: sha256(script) })
  // Relative, as husky sets it, the folder is not there in linked worktrees, and no hook runs and nothing is said.
  if (path.value !== folder) manifest.settings.push(await settingTo(git, path, folder))
  const lines = await addHuskyLines(root, HOOK_NAMES)
  manifest.files.push(
    ...lines.map(({ path: file, isNew, after, added }) => ({ path: file, digest: sha256(after), added, isNew })),
  )
  await writeManifest(home, manifest)
  await writeWithMode(join(home, 'dispatch'), script, 0o755)
  for (const { path: file, after } of lines) await writeWithMode(file, after)
  for (const setting of manifest.settings) await applySetting(git, setting)
  const own = (await readdir(dirname(folder))).filter((name) => (HOOK_NAMES as readonly string[]).includes(name))
  const chained = own.filter((name) =>
    lines.some(({ path: file, before }) => basename(file) === name && before.replace(huskyLine(name), '').trim() !== ''),
  )
  const setting = manifest.settings.length > 0 ? `core.hooksPath = ${folder}` : undefined
  return { mode: 'husky', chained, folder, setting }
}

function scriptOf(manifest: Manifest, home: string): Promise<string> {
  const { node, chain, conventional } = manifest
  return renderDispatcher({ node, program: join(home, 'hook.cjs'), chain, conventional })
}

/** Says what one hook file becomes. @throws VT_HOOK_IN_THE_WAY when there is no place to move a foreign hook to */
async function planHook(
  folder: string,
  name: string,
  script: string,
  chain: string,
): Promise<Omit<WrittenFile, 'digest'> & { content: string }> {
  const file = join(folder, name)
  const isOurs = (HOOK_NAMES as readonly string[]).includes(name)
  const passOn = `#!/bin/sh\n# From \`valuetrain hooks install\`; it only calls the hook that was there before.\nexec '${`${chain}/${name}`.replaceAll("'", "'\\''")}' "$@"\n`
  const content = isOurs ? script : passOn
  const there = await lstat(file).catch(() => undefined)
  if (there === undefined) return { path: file, content }
  if (there.isFile() && isDispatcher(await readFile(file, 'utf8'))) return { path: file, content }
  const chained = `${file}.chained`
  if (there.isDirectory() || (await exists(chained))) {
    throw new ValuetrainError(
      'VT_HOOK_IN_THE_WAY',
      `the hook ${name} cannot be moved aside: ${there.isDirectory() ? 'it is a folder' : `${name}.chained exists`}`,
      {
        kind: 'environment',
        hint: `look at ${folder} and move what nobody needs away; nothing there was touched`,
      },
    )
  }
  return { path: file, content, chained }
}

async function foreignNames(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  const found = await Promise.all(
    names.map(async (name) => {
      const file = await lstat(join(folder, name)).catch(() => undefined)
      const isHook = /^[a-z][a-z-]+$/.test(name) && file !== undefined && !file.isDirectory() && (file.mode & 0o111) !== 0
      return isHook && name.includes('-') ? [name] : []
    }),
  )
  return found.flat().sort()
}

async function settingTo(git: Git, path: HookPath, after: string): Promise<ChangedSetting> {
  const scope = path.scope === 'worktree' ? 'worktree' : 'local'
  const { stdout, code } = await git.run(['config', `--${scope}`, '--get', 'core.hooksPath'], { okExit: [0, 1], hooks: true })
  return { key: 'core.hooksPath', scope, dir: git.dir, before: code === 0 ? stdout.replace(/\n$/, '') : null, after }
}

async function applySetting(git: Git, { key, scope, dir, after }: ChangedSetting): Promise<void> {
  await git.at(dir).run(['config', `--${scope}`, key, after], { hooks: true })
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
