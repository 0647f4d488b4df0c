import { join } from 'node:path'
import { canonicalJson, digestOf } from '../../core/canonical.ts'
import type { Git } from '../../core/git.ts'
import { requireRefName } from '../../core/refs.ts'
import { readBlobs, resolveObject } from '../../core/tree.ts'

const FOLDER = 'refs/valuetrain/intents'

/** The text that somebody allowed to be worked, as it was when it was allowed. */
export interface Intent {
  v: 1
  issue: number
  /** Id of the event that set the label; null when it is only known from a delivery. */
  event: number | null
  /** Who set the label. */
  by: string
  /** ISO 8601, when it was set. */
  at: string
  title: string
  body: string
  /** Of title and body. */
  digest: string
}

/** Intents of all issues, in refs of this clone and of the remote that several clones share. */
export interface Intents {
  /** Returns what is kept of an issue, from this clone. */
  read(issue: number): Promise<Intent | undefined>
  list(): Promise<Intent[]>
  /** Brings what other clones kept into this one. */
  fetch(): Promise<void>
  /** Keeps intents. Where another clone was faster, its own stay; they are what `read` returns afterwards. */
  keep(intents: readonly Intent[]): Promise<void>
  /** Lets go of the intents of issues; does nothing for those that have none. */
  drop(issues: readonly number[]): Promise<void>
}

/** Returns the digest that tells whether a text is still the one that was allowed. */
export function digestOfText(title: string, body: string): string {
  return digestOf({ title, body: body.replaceAll('\r\n', '\n') })
}

/**
 * Opens the intents of a clone.
 *
 * @param remote name of the remote the clones share; null keeps them in this clone alone
 * @param access surroundings in which git may speak with that remote
 */
export function openIntents(git: Git, remote: string | null, access: () => Promise<Record<string, string>>): Intents {
  const shared = remote === null ? undefined : requireRefName(remote)
  const objectOf = (issue: number) => resolveObject(git, `${FOLDER}/${issue}`)
  // What an object holds never changes, and there is a look every few seconds.
  const contents = new Map<string, Intent | undefined>()
  const contentOf = async (issue: number, object: string) => {
    if (!contents.has(object)) contents.set(object, await readIntent(git, issue, object))
    return contents.get(object)
  }
  const fetch = async () => {
    if (shared === undefined) return
    const flags = ['--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules', '--quiet', '--prune']
    // Nothing but this program writes these refs, so the remote's are taken as they are.
    await git.run(['fetch', ...flags, '--', shared, `+${FOLDER}/*:${FOLDER}/*`], { env: await access() })
  }
  const push = async (specs: readonly string[]) =>
    git.run(['push', '--quiet', '--no-verify', '--', shared as string, ...specs], { env: await access(), okExit: [0, 1, 128] })
  return {
    async read(issue) {
      const object = await objectOf(issue)
      return object === undefined ? undefined : contentOf(issue, object)
    },
    async list() {
      const lines = (await git.text(['for-each-ref', '--format=%(objectname) %(refname)', FOLDER])).split('\n')
      const found = lines.flatMap((line) => {
        const [object = '', ref = ''] = line.split(' ')
        const issue = Number(/\/([1-9]\d{0,8})$/.exec(ref)?.[1])
        return issue ? [contentOf(issue, object)] : []
      })
      return (await Promise.all(found)).filter((intent) => intent !== undefined)
    },
    fetch,
    async keep(intents) {
      const specs: string[] = []
      for (const intent of intents) {
        const before = await objectOf(intent.issue)
        const object = await git.text(['hash-object', '-w', '--stdin'], { input: canonicalJson(intent) })
        const ref = `${FOLDER}/${intent.issue}`
        const order = ['update-ref', ref, object, before ?? '0'.repeat(object.length)]
        const moved = await git.run(order, { okExit: [0, 128] })
        // A delivery and a look may keep the same text at the same moment; the first one stays.
        if (moved.code !== 0) continue
        specs.push(`--force-with-lease=${ref}:${before ?? ''}`, `${object}:${ref}`)
      }
      if (shared === undefined || specs.length === 0) return
      const leases = specs.filter((spec) => spec.startsWith('--'))
      const refs = specs.filter((spec) => !spec.startsWith('--'))
      const flags = ['push', '--quiet', '--no-verify', ...leases, '--', shared, ...refs]
      const pushed = await git.run(flags, { env: await access(), okExit: [0, 1, 128] })
      // Somebody was faster with at least one: theirs count, here too.
      if (pushed.code !== 0) await fetch()
    },
    async drop(issues) {
      const there: string[] = []
      for (const issue of issues) {
        const object = await objectOf(issue)
        if (object === undefined) continue
        await git.run(['update-ref', '-d', `${FOLDER}/${issue}`, object])
        there.push(`:${FOLDER}/${issue}`)
      }
      if (shared !== undefined && there.length > 0) await push(there)
    },
  }
}

async function readIntent(git: Git, issue: number, object: string): Promise<Intent | undefined> {
  const [found] = await readBlobs(git, [object])
  try {
    const intent = JSON.parse(found?.toString('utf8') ?? '') as Intent
    const isSound = intent.v === 1 && intent.issue === issue && intent.digest === digestOfText(intent.title, intent.body)
    // Anything else was not written by us, and the text is kept anew.
    return isSound ? intent : undefined
  } catch {
    return undefined
  }
}

/** Where notes lie of intents that were let go, so that looking does not keep them again. */
export function openedFile(stateDir: string): string {
  return join(stateDir, 'github', 'opened.json')
}
