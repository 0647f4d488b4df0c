import type { Config } from '../core/config.ts'
import type { Issue } from '../core/contracts/issue.ts'

/** What selection knows besides the issues. */
export interface SelectionFacts {
  labels: Config['labels']
  /** Issues whose lease somebody holds. */
  claimed: ReadonlySet<number>
  /** The pilot's own name on the forge; an issue assigned to it is free when its lease is. */
  login?: string
  /** Issues whose tickets are done, whatever their files say. */
  done?: ReadonlySet<number>
  /** Issues that this pilot itself works now; they are claimed, too. */
  underWay?: ReadonlySet<number>
  /** Issues whose tickets cannot go on by themselves, with the reason in a few words. */
  held?: ReadonlyMap<number, string>
}

export interface Selection {
  /** What may be worked, first things first. */
  ready: Issue[]
  /** Every open issue that is not ready, and the first reason, by number. */
  passed: { number: number; why: string }[]
}

/**
 * Returns which issues Auto-Pilot may take, in the order it takes them. Pure, and the order of the input does not matter:
 * by priority label, then oldest first, then lowest number.
 */
export function selectIssues(issues: readonly Issue[], facts: SelectionFacts): Selection {
  const byNumber = new Map(issues.map((issue) => [issue.number, issue]))
  const ready: Issue[] = []
  const passed: Selection['passed'] = []
  for (const issue of byNumber.values()) {
    if (isOver(issue, facts)) continue
    const why = whyNot(issue, byNumber, facts)
    if (why === undefined) ready.push(issue)
    else passed.push({ number: issue.number, why })
  }
  ready.sort(compareIssues(facts.labels.priorities))
  const taken = withinFlow(ready, byNumber, facts)
  for (const issue of ready) {
    const before = taken.get(issue.number)
    if (before !== undefined) passed.push({ number: issue.number, why: before })
  }
  return {
    ready: ready.filter(({ number }) => !taken.has(number)),
    passed: passed.sort((a, b) => a.number - b.number),
  }
}

/**
 * Returns the order of work as a comparison: the earliest of the priority labels an issue has, none last; then the older; then
 * the lower number. A total order over issues with different numbers.
 */
export function compareIssues(priorities: readonly string[]): (a: Issue, b: Issue) => number {
  const rank = (issue: Issue) => {
    const place = priorities.findIndex((label) => issue.labels.includes(label))
    return place < 0 ? priorities.length : place
  }
  return (a, b) => rank(a) - rank(b) || compareTimes(a.createdAt, b.createdAt) || a.number - b.number
}

/**
 * One-piece flow: of requirements with the first priority one is worked in a project, of such stories one by a pilot.
 * (Of tasks every session works one, by its nature.) Returns why issues have to wait for that, by number.
 */
function withinFlow(ready: readonly Issue[], all: ReadonlyMap<number, Issue>, facts: SelectionFacts): Map<number, string> {
  const { labels, claimed, underWay = new Set<number>() } = facts
  const [first] = labels.priorities
  const passed = new Map<number, string>()
  if (first === undefined) return passed
  const limits = [
    { label: labels.requirement, busy: new Set([...claimed, ...underWay]) },
    { label: labels.story, busy: underWay },
  ]
  for (const { label, busy } of limits) {
    const isLimited = (issue: Issue) => issue.labels.includes(label) && issue.labels.includes(first)
    let holder = [...busy].find((number) => {
      const issue = all.get(number)
      return issue !== undefined && !isOver(issue, facts) && isLimited(issue)
    })
    for (const issue of ready.filter(isLimited)) {
      if (holder === undefined) holder = issue.number
      else if (!passed.has(issue.number))
        passed.set(issue.number, `one ${label} labelled ${first} at a time, and #${holder} comes first`)
    }
  }
  return passed
}

function isOver(issue: Issue, { done }: SelectionFacts): boolean {
  return issue.state === 'closed' || done?.has(issue.number) === true
}

function whyNot(issue: Issue, all: ReadonlyMap<number, Issue>, facts: SelectionFacts): string | undefined {
  const { labels, claimed, login, held } = facts
  const has = (label: string) => issue.labels.includes(label)
  if (!has(labels.auto)) return `not labelled ${labels.auto}`
  if (labels.task !== null && !has(labels.task)) return `not labelled ${labels.task}`
  const excluded = labels.excluded.find(has)
  if (excluded !== undefined) return `labelled ${excluded}`
  const others = issue.assignees.filter((assignee) => assignee !== login)
  if (others.length > 0) return `assigned to ${others.join(', ')}`
  if (issue.hold !== undefined) return issue.hold
  if (claimed.has(issue.number)) return 'claimed'
  const reason = held?.get(issue.number)
  if (reason !== undefined) return reason
  const open = issue.blockedBy.filter((number) => {
    const blocker = all.get(number)
    return facts.done?.has(number) !== true && (blocker === undefined || !isOver(blocker, facts))
  })
  return open.length === 0
    ? undefined
    : `waits for ${open.map((number) => `#${number}${all.has(number) ? '' : ', which is not there'}`).join(', ')}`
}

/** By instant, since forges write the same one differently; what is no instant comes last. */
function compareTimes(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => {
    const time = Date.parse(text)
    return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
  }) as [number, number]
  return left === right ? 0 : left < right ? -1 : 1
}
