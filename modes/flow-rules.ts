import type { Issue } from '../core/contracts/issue.ts'
import { broken, eventsOf, held, notApplicable, type SpecAnswer, type SpecRule, unless } from './spec.ts'

/** The rules about issues and how many of them are worked at once. */
export const FLOW_RULES: readonly SpecRule[] = [
  {
    id: 'hierarchy',
    part: 'flow',
    text: 'Issues form a hierarchy: product requirement, user story, task.',
    check({ issues }) {
      const parented = issues.filter(({ parent }) => parent !== undefined)
      const problems = parented.flatMap((issue) => {
        const depth = depthOf(issue, issues)
        if (depth === undefined) return [`issue ${issue.number} is part of a circle or of an issue that is not there`]
        return depth > 2 ? [`issue ${issue.number} lies ${depth + 1} levels deep`] : []
      })
      return unless(problems, parented.length, 'issues with a parent')
    },
  },
  {
    id: 'one-now-requirement',
    part: 'flow',
    text: 'At most one product requirement is now.',
    check({ issues }) {
      const requirements = issues.filter((issue) => isNow(issue) && heightOf(issue, issues) >= 2)
      return requirements.length > 1 ? broken(`now: ${numbers(requirements)}`) : answerFor(requirements, issues)
    },
  },
  {
    id: 'one-now-story',
    part: 'flow',
    text: 'At most one user story a person is now.',
    check({ issues }) {
      const stories = issues.filter((issue) => isNow(issue) && heightOf(issue, issues) === 1)
      const people = [...new Set(stories.flatMap(({ assignees }) => assignees))]
      const crowded = people
        .map((person) => stories.filter(({ assignees }) => assignees.includes(person)))
        .filter((own) => own.length > 1)
      return crowded.length > 0 ? broken(`now for one person: ${crowded.map(numbers).join('; ')}`) : answerFor(stories, issues)
    },
  },
  {
    id: 'one-ticket-a-piece',
    part: 'flow',
    text: 'An issue has one live ticket at a time.',
    check({ tickets }) {
      const live = tickets.filter(
        ({ done, entries }) => !done && !entries.some(({ type }) => type === 'DELIVERED' || type === 'ABORTED'),
      )
      const issues = live.map(({ entries }) => eventsOf(entries, 'TICKET_OPENED')[0]?.data.issue.number)
      const twice = issues.filter((issue, index) => issue !== undefined && issues.indexOf(issue) !== index)
      return unless(
        twice.map((issue) => `issue ${issue} has several`),
        live.length,
        'live tickets',
      )
    },
  },
]

function isNow({ state, labels }: Issue): boolean {
  return state === 'open' && labels.includes('now')
}

function answerFor(found: readonly Issue[], issues: readonly Issue[]): SpecAnswer {
  if (!issues.some(({ parent }) => parent !== undefined)) return notApplicable('no issue is part of another')
  return held(found.length === 0 ? 'none is now' : `now: ${numbers(found)}`)
}

function numbers(issues: readonly Issue[]): string {
  return issues.map(({ number }) => `#${number}`).join(', ')
}

/** How many issues lie above; undefined for a circle or a parent that is not there. */
function depthOf(issue: Issue, issues: readonly Issue[]): number | undefined {
  const seen = new Set<number>()
  let depth = 0
  for (let at = issue; at.parent !== undefined; depth++) {
    const parent = issues.find(({ number }) => number === at.parent)
    if (!parent || seen.has(at.number)) return undefined
    seen.add(at.number)
    at = parent
  }
  return depth
}

/** How many levels of parts an issue has: none for a task, one for a story, two for a product requirement. */
function heightOf(issue: Issue, issues: readonly Issue[], limit = 5): number {
  const parts = issues.filter(({ parent }) => parent === issue.number)
  return parts.length === 0 || limit === 0 ? 0 : 1 + Math.max(...parts.map((part) => heightOf(part, issues, limit - 1)))
}
