import { access, constants, readFile, stat } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { readHookRecords } from '../core/hook-inbox.ts'
import type { Repository } from '../core/repository.ts'
import type { SurroundingFinding } from '../core/surroundings.ts'
import { listWorktrees } from '../core/worktrees.ts'
import { isDispatcher } from './dispatcher.ts'
import { huskyFolder, huskyLine } from './husky.ts'
import { hookHome, hookPathOf, hookToolsOf } from './layout.ts'
import { digestOfFile, type Manifest, readManifest } from './manifest.ts'
import { probeHooks } from './probe.ts'
import { readSettings } from './settings.ts'

/** How the hooks of a clone stand, by looking at files and settings. */
export interface HookStatus {
  /** `none` when nothing is installed; `chain` is native beside hooks that were there. */
  mode: 'none' | 'native' | 'chain' | 'husky'
  /** Hooks of others that are called first. */
  chained: string[]
  problems: { what: string; todo: string }[]
  /** What hooks noticed in this worktree and nobody folded in yet. */
  noticed: string[]
}

const AGAIN = 'run `valuetrain hooks install`'

/** Returns how the hooks of a clone stand. Changes nothing. */
export async function hookStatus(repository: Repository, gitDir: string): Promise<HookStatus> {
  const home = hookHome(repository)
  const manifest = await readManifest(home)
  const noticed = (await readHookRecords(gitDir)).flatMap(({ record }) => (record ? [record.finding.message] : []))
  if (manifest === undefined) return { mode: 'none', chained: [], problems: await silentTools(repository), noticed }
  const chained = manifest.files.flatMap(({ path, chained }) => (chained === undefined ? [] : [path.split('/').at(-1) as string]))
  const isChain = manifest.chain !== '' || chained.length > 0
  return {
    mode: manifest.mode === 'husky' ? 'husky' : isChain ? 'chain' : 'native',
    chained: manifest.chain === '' ? chained : [manifest.chain],
    problems: [
      ...(await problemsOfFiles(manifest, home)),
      ...(await problemsOfPaths(repository, manifest)),
      ...(await problemsOfSettings(repository, manifest)),
    ],
    noticed,
  }
}

/**
 * Returns what `doctor` says about hooks: how they stand, and what a real probe commit showed. Makes and removes a
 * throw-away worktree; nothing else changes.
 *
 * @param id a ULID for the probe's note
 */
export async function inspectHooks(repository: Repository, gitDir: string, id: string): Promise<SurroundingFinding[]> {
  const status = await hookStatus(repository, gitDir)
  const problems = status.problems.map(({ what, todo }): SurroundingFinding => ({ id: 'hooks', level: 'warn', what, todo }))
  if (status.mode === 'none') {
    const what = 'no hooks of ours are installed, so commits are judged only by `valuetrain check`'
    return [...problems, { id: 'hooks', level: 'warn', what, todo: AGAIN }]
  }
  const probe = await probeHooks(repository, id)
  const beside = status.chained.length > 0 ? `, after ${status.chained.join(', ')}` : ''
  const found: SurroundingFinding =
    probe.why === null
      ? { id: 'hooks', level: 'ok', what: `hooks fire in a new worktree (${status.mode} mode${beside})`, todo: null }
      : {
          id: 'hooks',
          level: 'fail',
          what: `a commit in a new worktree did not call ${probe.missing.join(', ')}: ${probe.why}`,
          todo: AGAIN,
        }
  return [...problems, found]
}

/**
 * Makes core.hooksPath absolute again where husky's prepare step put the relative path back.
 *
 * @returns whether there was something to mend
 */
export async function mendHooksPath(repository: Repository): Promise<boolean> {
  const { root, git, commonDir } = repository
  const manifest = await readManifest(hookHome(repository))
  if (root === null || manifest?.mode !== 'husky') return false
  const path = await hookPathOf(git, root, commonDir)
  const isHuskys = path.value !== undefined && !isAbsolute(path.value) && path.folder === huskyFolder(root)
  if (isHuskys) await git.run(['config', '--local', 'core.hooksPath', huskyFolder(root)], { hooks: true })
  return isHuskys
}

/** Without hooks of ours one thing is still worth saying: that somebody else's do not run where agents work. */
async function silentTools({ root, git, commonDir }: Repository): Promise<HookStatus['problems']> {
  if (root === null) return []
  const { value, folder } = await hookPathOf(git, root, commonDir)
  if (value === undefined || isAbsolute(value) || value.startsWith('~')) return []
  const tracked = (await git.run(['ls-files', '--', value], { okExit: [0, 128] })).stdout.trim() !== ''
  if (tracked) return []
  const todo = `run \`git config core.hooksPath "${folder}"\`, or \`valuetrain hooks install\``
  return [{ what: `core.hooksPath is ${value}, relative and untracked: no hook runs in linked worktrees`, todo }]
}

async function problemsOfFiles(manifest: Manifest, home: string): Promise<HookStatus['problems']> {
  const problems: HookStatus['problems'] = []
  const program = await digestOfFile(join(home, 'hook.cjs'))
  if (program === undefined) problems.push({ what: "the hooks' program is gone, so every commit is refused", todo: AGAIN })
  else if (program !== manifest.program)
    problems.push({ what: "the hooks' program is not the one that was installed", todo: AGAIN })
  const hasNode = await access(manifest.node, constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!hasNode)
    problems.push({ what: `the Node that was installed with is gone (${manifest.node}); the one on PATH is used`, todo: AGAIN })
  for (const { path, digest, added } of manifest.files) {
    if (path.endsWith('hook.cjs')) continue
    const name = path.split('/').at(-1) as string
    const text = await readFile(path, 'utf8').catch(() => undefined)
    const isIn = added === undefined ? (await digestOfFile(path)) === digest : text?.includes(huskyLine(name)) === true
    if (isIn) continue
    const what = text === undefined ? 'is gone' : isDispatcher(text) ? 'was changed' : 'was replaced, maybe by another tool'
    problems.push({ what: `the hook ${name} ${what}`, todo: AGAIN })
  }
  return problems
}

/** Each worktree may have a setting of its own, and husky puts its relative one back. */
async function problemsOfPaths(repository: Repository, manifest: Manifest): Promise<HookStatus['problems']> {
  const { git, commonDir, root } = repository
  const ours = folderOf(manifest, repository)
  const problems: HookStatus['problems'] = []
  for (const { dir, branch, isMain } of await listWorktrees(repository)) {
    if ((await stat(dir).catch(() => undefined)) === undefined) continue
    const path = await hookPathOf(git.at(dir), dir, commonDir)
    if (path.folder === ours && (path.value === undefined || isAbsolute(path.value))) continue
    const where = isMain ? 'here' : `in the worktree of ${branch ?? 'a commit'}`
    const isPutBack = root !== null && manifest.mode === 'husky' && path.value === '.husky/_'
    problems.push(
      isPutBack
        ? {
            what: `core.hooksPath is the relative .husky/_ again ${where}, as husky's prepare step sets it`,
            todo: 'run `valuetrain hooks install`, or `valuetrain doctor --mend`',
          }
        : { what: `core.hooksPath is ${path.value ?? 'not set'} ${where}, so git does not come to ours`, todo: AGAIN },
    )
    if (isMain && isPutBack) break
  }
  return problems
}

function folderOf(manifest: Manifest, { root, commonDir, stateDir }: Repository): string {
  if (manifest.mode === 'husky') return huskyFolder(root ?? '')
  return manifest.chain === '' ? join(commonDir, 'hooks') : join(hookHome({ stateDir }), 'chain')
}

async function problemsOfSettings(repository: Repository, manifest: Manifest): Promise<HookStatus['problems']> {
  const { conventional } = await readSettings(repository.git)
  const problems: HookStatus['problems'] = []
  if (conventional !== manifest.conventional)
    problems.push({ what: 'the style of commit messages was configured anew since', todo: AGAIN })
  if (repository.root === null) return problems
  const tools = await hookToolsOf(repository.root)
  const isBeside = manifest.mode === 'native' && (tools.lefthook || tools.preCommit)
  const hasMoved = manifest.files.some(({ chained }) => chained !== undefined) || manifest.chain !== ''
  if (isBeside && !hasMoved) {
    const tool = tools.lefthook ? 'lefthook' : 'pre-commit'
    problems.push({
      what: `${tool} is configured here and not installed; its own install step would take the place of our hooks`,
      todo: `install ${tool} first, then ${AGAIN}`,
    })
  }
  return problems
}
