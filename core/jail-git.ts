import { lstat, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'

/** How a private git directory lies over a checkout's own. */
export interface BorrowedGit {
  over: 'file' | 'folder'
  /** Folders with objects that it reads, absolute. */
  objects: string[]
}

/**
 * Makes a git directory of its own for a checkout: the same HEAD, index and history, objects read from where they are,
 * new ones kept apart. No hooks, no remotes, no configuration of the repository. What happens in it changes nothing outside.
 *
 * @param scratch folder that gets `git` and, for a linked worktree, `gitfile`
 * @param seenAs  where the git directory will be seen by who uses it
 * @param refs    further refs it shall have, each as `<commit> <ref>`
 * @returns undefined when the folder is no checkout
 */
export async function borrowGit(
  worktree: string,
  scratch: string,
  seenAs: string,
  refs: readonly string[] = [],
): Promise<BorrowedGit | undefined> {
  const dotGit = join(worktree, '.git')
  const found = await lstat(dotGit).catch(() => undefined)
  if (found === undefined || found.isSymbolicLink()) return undefined
  const gitDir = found.isDirectory() ? dotGit : await pointedAt(dotGit)
  if (gitDir === undefined) return undefined
  const common = await commonOf(gitDir)
  const own = join(scratch, 'git')
  await mkdir(join(own, 'objects', 'info'), { recursive: true })
  await mkdir(join(own, 'refs', 'heads'), { recursive: true })
  const head = (await textOf(join(gitDir, 'HEAD'))) ?? 'ref: refs/heads/none\n'
  await writeFile(join(own, 'HEAD'), head)
  await writeFile(join(own, 'config'), configOf((await textOf(join(common, 'config'))) ?? ''))
  const branch = await refsOf(common, head)
  const more = refs.filter((line) => !branch.endsWith(` ${line.slice(line.indexOf(' ') + 1)}\n`))
  await writeFile(join(own, 'packed-refs'), [branch, ...more.map((line) => `${line}\n`)].join(''))
  for (const [from, name] of [
    [gitDir, 'index'],
    [common, 'shallow'],
  ] as const) {
    const content = await readFile(join(from, name)).catch(() => undefined)
    if (content !== undefined) await writeFile(join(own, name), content)
  }
  const objects = await objectFolders(join(common, 'objects'))
  await writeFile(join(own, 'objects', 'info', 'alternates'), objects.map((folder) => `${folder}\n`).join(''))
  if (!found.isDirectory()) await writeFile(join(scratch, 'gitfile'), `gitdir: ${seenAs}\n`)
  return { over: found.isDirectory() ? 'folder' : 'file', objects }
}

async function pointedAt(file: string): Promise<string | undefined> {
  const target = /^gitdir: (.+)$/m.exec((await textOf(file)) ?? '')?.[1]
  return target === undefined ? undefined : resolve(dirname(file), target)
}

async function commonOf(gitDir: string): Promise<string> {
  const text = (await textOf(join(gitDir, 'commondir')))?.trim()
  return text === undefined ? gitDir : resolve(gitDir, text)
}

/** Only the format of the repository; anything else could name a program. */
function configOf(text: string): string {
  const isSha256 = /^\s*objectformat\s*=\s*sha256\s*$/im.test(text)
  const extensions = isSha256 ? '[extensions]\n\tobjectFormat = sha256\n' : ''
  return `[core]\n\trepositoryformatversion = ${isSha256 ? 1 : 0}\n\tbare = false\n\tfilemode = true\n${extensions}[gc]\n\tauto = 0\n[user]\n\tname = agent\n\temail = agent@jail.invalid\n`
}

/** The one branch the checkout is on, if any. */
async function refsOf(common: string, head: string): Promise<string> {
  const name = /^ref: (refs\/\S+)$/m.exec(head)?.[1]
  if (name === undefined || name.includes('..')) return ''
  const loose = (await textOf(join(common, name)))?.trim()
  const packed = new RegExp(`^([0-9a-f]{40,64}) ${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`, 'm')
  const commit = loose ?? packed.exec((await textOf(join(common, 'packed-refs'))) ?? '')?.[1]
  return commit === undefined ? '' : `${commit} ${name}\n`
}

/** The repository's own objects and those it borrows itself. */
async function objectFolders(objects: string): Promise<string[]> {
  const more = ((await textOf(join(objects, 'info', 'alternates'))) ?? '').split('\n').filter((line) => line !== '')
  return [objects, ...more.map((line) => (isAbsolute(line) ? line : resolve(objects, line)))]
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined)
}
