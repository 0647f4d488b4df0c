import { setTimeout as delay } from 'node:timers/promises'
import { alone } from './alone.ts'
import { ticketOfBranch } from './contracts/names.ts'
import type { Git } from './git.ts'
import { refused } from './lease-refs.ts'
import { requireRefName } from './refs.ts'
import type { Repository } from './repository.ts'
import { isAncestor, resolveCommit } from './tree.ts'

/** Where this clone keeps what it last saw of a branch of the remote. */
export function trackingRef(remote: string, branch: string): string {
  return `refs/remotes/${remote}/${branch}`
}

/**
 * Brings this clone's view of the default branch and the tickets' branches on the remote up to date; branches of tickets
 * that are gone there go from the view, too. Does nothing without a remote.
 *
 * @returns whether the default branch was there, so that the view of it is as the remote has it
 * @throws VT_REMOTE when the remote is gone or refuses
 */
export async function fetchTickets(
  repo: Repository,
  { remote, branch }: { remote: string | null; branch: string },
): Promise<boolean> {
  if (remote === null) return false
  requireRefName(remote)
  const flags = ['--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', '--no-auto-maintenance', '--refmap=']
  let specs = ['phase/*', requireRefName(branch)].map((name) => `+refs/heads/${name}:${trackingRef(remote, name)}`)
  for (let round = 0; ; round++) {
    const done = await alone(repo, () =>
      repo.git.run(['fetch', '--quiet', '--prune', ...flags, '--', remote, ...specs], { okExit: [0, 1, 128, 255] }),
    )
    if (done.code === 0) return specs.length > 1
    if (specs.length > 1 && /couldn't find remote ref/.test(done.stderr)) {
      // An empty remote; whoever needs the default branch says so.
      specs = specs.slice(0, 1)
      continue
    }
    // A push of another process of this clone moves the same view, and git refuses whoever comes second.
    if (round === 5 || !/cannot lock ref|unable to update local ref/.test(done.stderr)) throw refused(remote, done.stderr)
    await delay(50 * (round + 1))
  }
}

/** A ticket's branch as this clone knows it: its own, and what it last saw on the remote. */
export interface TicketBranch {
  ticket: string
  local: string | undefined
  remote: string | undefined
}

/** Returns the branches of all tickets, by name; asks nobody but this clone. */
export async function listTicketBranches(git: Git, remote: string | null): Promise<TicketBranch[]> {
  const folders = ['refs/heads/phase/', ...(remote === null ? [] : [trackingRef(requireRefName(remote), 'phase/')])]
  const lines = (await git.text(['for-each-ref', '--format=%(objectname) %(refname)', '--', ...folders])).split('\n')
  const found = new Map<string, TicketBranch>()
  for (const [commit, ref = ''] of lines.map((line) => line.split(' '))) {
    const isLocal = ref.startsWith('refs/heads/')
    const ticket = ticketOfBranch(ref.slice((isLocal ? 'refs/heads/' : trackingRef(remote ?? '', '')).length))
    if (ticket === undefined || commit === undefined) continue
    const known = found.get(ticket) ?? { ticket, local: undefined, remote: undefined }
    found.set(ticket, isLocal ? { ...known, local: commit } : { ...known, remote: commit })
  }
  return [...found.values()].sort((a, b) => (a.ticket < b.ticket ? -1 : 1))
}

/**
 * Tells which side of a ticket's branch goes on: the remote's, unless this clone has it all. Every push went through the
 * claim, so what the remote has and this clone has not was written by a later owner.
 */
export async function leadingSide(
  git: Git,
  { local, remote }: Omit<TicketBranch, 'ticket'>,
): Promise<'local' | 'remote' | 'none'> {
  if (local === undefined) return remote === undefined ? 'none' : 'remote'
  if (remote === undefined || remote === local) return 'local'
  return (await isAncestor(git, remote, local)) ? 'local' : 'remote'
}

/**
 * Returns the default branch as this clone knows it, asking nobody: its own, or what it last saw of the remote's where
 * that is ahead.
 */
export async function knownBase(
  git: Git,
  { branch, remote }: { branch: string; remote: string | null },
): Promise<string | undefined> {
  const local = await resolveCommit(git, `refs/heads/${requireRefName(branch)}`)
  const seen = remote === null ? undefined : await resolveCommit(git, trackingRef(requireRefName(remote), branch))
  if (local === undefined || seen === undefined || local === seen) return local ?? seen
  return (await isAncestor(git, local, seen)) ? seen : local
}
