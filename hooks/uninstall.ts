import { lstat, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import type { Git } from '../core/git.ts'
import type { Repository } from '../core/repository.ts'
import { isDispatcher } from './dispatcher.ts'
import { hookHome } from './layout.ts'
import { type ChangedSetting, digestOfFile, readManifest, type WrittenFile } from './manifest.ts'
import { writeWithMode } from './write.ts'

/** What taking away did. */
export interface Uninstalled {
  /** Whether anything was installed. */
  found: boolean
  /** What was not put back because somebody changed it since; sentences for people. */
  left: string[]
}

/**
 * Takes away what `installHooks` wrote and puts back, byte for byte, what was there. What somebody changed since is theirs
 * and stays.
 */
export async function uninstallHooks(repository: Repository): Promise<Uninstalled> {
  const home = hookHome(repository)
  const manifest = await readManifest(home)
  if (manifest === undefined) return { found: false, left: [] }
  const left: string[] = []
  for (const setting of manifest.settings) await putBackSetting(repository.git, setting, left)
  for (const file of manifest.files) await putBackFile(file, left)
  await rm(join(home, 'manifest.json'), { force: true })
  // What Node keeps of the compiled program, from 22 on.
  await rm(join(home, 'cache'), { recursive: true, force: true })
  for (const folder of manifest.folders.toReversed()) await rmdir(folder).catch(() => {})
  return { found: true, left }
}

async function putBackSetting(git: Git, setting: ChangedSetting, left: string[]): Promise<void> {
  const { key, scope, dir, before, after } = setting
  if ((await lstat(dir).catch(() => undefined)) === undefined) return
  const here = git.at(dir)
  const { stdout, code } = await here.run(['config', `--${scope}`, '--get', key], { okExit: [0, 1], hooks: true })
  const now = code === 0 ? stdout.replace(/\n$/, '') : null
  if (now === before) return
  if (now !== after) {
    left.push(`${key} is ${now ?? 'not set'} by now and stays`)
    return
  }
  const change = before === null ? ['--unset', key] : [key, before]
  await here.run(['config', `--${scope}`, ...change], { hooks: true })
}

async function putBackFile(file: WrittenFile, left: string[]): Promise<void> {
  if (file.added !== undefined) return takeLineAway(file, left)
  const { path, digest, chained } = file
  const now = await digestOfFile(path)
  if (now !== undefined && now !== digest && !(await isOurs(path))) {
    left.push(`${path} was changed since and stays`)
    return
  }
  const hasEarlier = chained !== undefined && (await lstat(chained).catch(() => undefined)) !== undefined
  if (hasEarlier) await rename(chained, path)
  else if (now !== undefined && chained === undefined) await rm(path, { force: true })
}

/** An installation that was interrupted may have left the dispatcher of an earlier version. */
async function isOurs(path: string): Promise<boolean> {
  return isDispatcher(await readFile(path, 'utf8').catch(() => ''))
}

async function takeLineAway({ path, digest, added, isNew }: WrittenFile, left: string[]): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined || added === undefined || added === '') return
  const at = sha256(text) === digest ? text.length - added.length : text.indexOf(added.trim())
  if (at < 0) {
    left.push(`${path} no longer holds our line`)
    return
  }
  const rest =
    sha256(text) === digest ? text.slice(0, at) : text.slice(0, at) + text.slice(at + added.trim().length).replace(/^\n/, '')
  if (rest === '' && isNew) await rm(path, { force: true })
  else await writeWithMode(path, rest)
}
