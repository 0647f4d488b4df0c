import type { Finding } from '../../core/contracts/gate.ts'
import { approvalsOf } from '../approval.ts'
import { byFindings, notApplicable, passed } from '../gate.ts'
import { matchesAny } from '../glob.ts'
import { eventsOf, type RangeCommit, type View } from '../view.ts'
import { builtin } from './builtin.ts'

/**
 * Hooks, gates, pipelines, CI and configuration decide what an agent may do, so an agent changes them only with a
 * person's approval of the present work. Everything on a ticket's branch counts as an agent's, except commits that the
 * session shows to be a person's turn. With a forge that knows logins only an approval there counts. Reads the session, so its result is never reused.
 */
export const protectedPaths = builtin(
  {
    id: 'protected-paths',
    title: 'Rules are not changed by those they bind',
    why: 'an agent that may edit its gates has none',
    subject: 'range',
    mendedBy: 'person',
    cache: false,
  },
  {
    async judge(view) {
      const { ticket, config, entries } = view.context
      if (ticket === undefined) return notApplicable('this change belongs to no ticket, so no agent made it')
      const touched = (await view.changes()).filter(({ path }) => matchesAny(path, config.protected)).map(({ path }) => path)
      if (touched.length === 0) return passed('no protected path is changed')
      const approval = approvalsOf(entries, 'protected-paths', [await view.work()], [], config.forge !== 'local')[0]
      if (approval) return passed(`${approval.name} approved the change of ${touched.slice(0, 5).join(', ')}`)
      const theirs = await byPeople(view, touched)
      const findings = touched
        .filter((path) => !theirs.has(path))
        .map((path): Finding => {
          const message = `${path} is protected and was changed without an approval`
          return { rule: 'protected-path', severity: 'error', message, path }
        })
      return byFindings(findings, 'protected paths were changed by a person only')
    },
  },
)

/** Paths that only commits of a person's turns changed. */
async function byPeople(view: View, paths: readonly string[]): Promise<ReadonlySet<string>> {
  const people = commitsOfPeople(view)
  const agents = new Set<string>()
  for (const commit of await view.commits()) {
    if (people.has(commit.id)) continue
    for (const path of await pathsOf(view, commit)) agents.add(path)
  }
  return new Set(people.size === 0 ? [] : paths.filter((path) => !agents.has(path)))
}

/** The session itself says which commit came of which turn; a trailer alone could be made up. */
function commitsOfPeople({ context: { entries } }: View): ReadonlySet<string> {
  const runtimes = new Map(eventsOf(entries, 'TURN_STARTED').map(({ data }) => [data.turn, data.runtime]))
  const intents = new Map(eventsOf(entries, 'WORK_INTENDED').map(({ id, data }) => [id, data.turn]))
  const commits = eventsOf(entries, 'WORK_COMMITTED').filter(({ data }) => {
    const turn = intents.get(data.intent)
    return turn !== undefined && runtimes.get(turn) === 'person'
  })
  return new Set(commits.map(({ data }) => data.commit))
}

async function pathsOf({ git }: View, { id, parents }: RangeCommit): Promise<string[]> {
  // A merge changes what differs from all its parents; `-c` lists exactly that.
  const merge = parents.length > 1 ? ['-c'] : []
  return git.fields(['diff-tree', '-r', '-z', '--root', '--name-only', '--no-commit-id', ...merge, id, '--'])
}
