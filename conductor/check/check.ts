import type { PlacedEntry, RequiredGate } from '../../core/contracts/event.ts'
import type { Finding, GateResult, Standing } from '../../core/contracts/gate.ts'
import { parseTicket } from '../../core/contracts/names.ts'
import { readEvidence } from '../../core/evidence-refs.ts'
import { foldGatedCommits } from '../../core/gated-commits.ts'
import type { Git } from '../../core/git.ts'
import { requireRevision } from '../../core/refs.ts'
import { commitTree, isAncestor, mergeTaking, mergeTree, subjectTree } from '../../core/tree.ts'
import { decide } from '../../gates/index.ts'
import { type AskedOfHead, askedOfHead } from './asked.ts'
import { type CheckedCommit, commitFindings } from './commits.ts'
import { askedOfCommits, foldEvidence, parseEvidence, skipsOf, standingOfTree } from './evidence.ts'
import { type CheckRequest, judgePlace } from './judge.ts'
import { type Range, readRange } from './range.ts'
import { ofGates, sortFindings } from './rules.ts'
import { type CheckedSession, checkSessions, deliveryFindings, sessionsElsewhere } from './sessions.ts'
import { type ShownWaiver, waiverFindings, waiversOf } from './waivers.ts'

/** One gate's standing over head and merge result: the worse of the two. */
export interface CheckedGate {
  gate: string
  verdict: Standing
  severity: 'block' | 'warn'
  /** One a place it was judged on. */
  results: { on: 'head' | 'merge'; result: GateResult }[]
}

export interface CheckReport {
  ok: boolean
  base: string
  head: string
  /** `same`: merging gives the head's own tree, so nothing is judged twice. */
  merge: 'same' | 'judged' | 'conflict'
  gates: CheckedGate[]
  findings: Finding[]
  commits: CheckedCommit[]
  waivers: ShownWaiver[]
}

/**
 * Judges what a head adds to a base, as a whole: gates in full on the head and on what merging it would give, every
 * other commit by the evidence for its tree, every session by its chain, its order and its ticks. Definitions are the
 * base's; nothing here reads the working tree. The same objects give the same report on every machine.
 */
export async function checkRange(request: CheckRequest): Promise<CheckReport> {
  const { repository, definitions, base, head, ticket } = request
  const { git } = repository
  const range = await readRange(git, base, head)
  const sessions = await checkSessions(git, range, ticket)
  const own = sessions.find((checked) => checked.ticket === ticket)
  const { commits, waivers, findings: ofEvidence } = await checkEvidence(request, range, sessions)
  const asked = askedOfHead(definitions, ticket, own?.state)
  const { gates, merge, findings: ofJudging } = await judgeBoth(request, range, asked, own)
  const delivery = own === undefined ? [] : await deliveryFindings(git, own, head)
  const findings = sortFindings([
    ...sessions.flatMap((session) => session.findings),
    ...asked.findings,
    ...ofJudging,
    ...delivery,
    ...commitFindings(commits, ticket),
    ...waiverFindings(waivers),
    ...ofEvidence,
  ])
  const says = (gate: CheckedGate) => gate.severity === 'warn' || HOLDS.has(gate.verdict)
  const ok = gates.every(says) && !findings.some(({ severity }) => severity === 'error')
  return { ok, base, head, merge, gates, findings, commits, waivers }
}

const HOLDS: ReadonlySet<Standing> = new Set(['pass', 'not-applicable', 'waived'])

async function checkEvidence(
  { repository, definitions, clock, ticket }: CheckRequest,
  range: Range,
  sessions: readonly CheckedSession[],
): Promise<{ commits: CheckedCommit[]; waivers: ShownWaiver[]; findings: Finding[] }> {
  const { git } = repository
  await foldGatedCommits(repository)
  const { records, findings } = parseEvidence(await readEvidence(git))
  const asked = askedOfCommits(definitions.gates.values())
  const here = sessions.filter(({ sound }) => sound).map(({ entries }) => entries)
  const judge = (known: readonly (readonly PlacedEntry[])[]): CheckedCommit[] => {
    const evidence = foldEvidence(known, records)
    return range.commits.map((commit) => ({ ...commit, evidence: standingOfTree(commit.tree, range.trusted, evidence, asked) }))
  }
  let commits = judge(here)
  const open = commits.filter(({ evidence }) => evidence === 'missing' || evidence === 'stale')
  const named = new Set(open.flatMap(({ tickets }) => tickets).filter((name) => name !== ticket && parseTicket(name)))
  if (named.size > 0) commits = judge([...here, ...(await sessionsElsewhere(git, [...named]))])
  commits = await Promise.all(commits.map((commit) => asTakenIn(git, range.base, commit)))
  const skips = skipsOf(records, new Set(range.commits.map(({ tree }) => tree)))
  return { commits, waivers: waiversOf(sessions, skips, definitions.gates, clock.now()), findings }
}

/**
 * A merge that takes the base into a branch, with the base's lines wherever both had changed them, has nothing of its own: it is
 * made again from its parents and compared.
 */
async function asTakenIn(git: Git, base: string, commit: CheckedCommit): Promise<CheckedCommit> {
  const [own, taken, ...more] = commit.parents
  if (commit.evidence !== 'missing' && commit.evidence !== 'stale') return commit
  if (own === undefined || taken === undefined || more.length > 0 || !(await isAncestor(git, taken, base))) return commit
  const { tree } = await mergeTaking(git, taken, own)
  return (await subjectTree(git, tree)) === commit.tree ? { ...commit, evidence: 'base' } : commit
}

async function judgeBoth(
  request: CheckRequest,
  range: Range,
  asked: AskedOfHead,
  own: CheckedSession | undefined,
): Promise<{ gates: CheckedGate[]; merge: CheckReport['merge']; findings: Finding[] }> {
  const { repository, base, head } = request
  const { git } = repository
  const onHead = await judgePlace(request, asked.specs, own, head, [])
  const places: [CheckedGate['results'][number]['on'], GateResult[], string][] = [['head', onHead, range.headTree]]
  const merged = await mergeOf(git, range)
  const findings: Finding[] = []
  let merge: CheckReport['merge'] = 'same'
  if ('conflicts' in merged) {
    merge = 'conflict'
    const where = merged.conflicts.length > 0 ? `conflicts in ${merged.conflicts.slice(0, 10).join(', ')}` : 'no common history'
    findings.push({
      rule: 'merge-conflict',
      severity: 'error',
      message: `the head cannot be merged into the base: ${where}`,
      commit: head,
    })
  } else if (merged.tree !== (await git.text(['rev-parse', `${head}^{tree}`]))) {
    merge = 'judged'
    const candidate = await commitTree(git, { tree: merged.tree, parents: [base, head], message: 'Merge result', date: FIXED })
    // Where merging leaves the subject as it is, results of equal key are those of the head just now.
    const results = await judgePlace(request, asked.specs, own, candidate, onHead)
    places.push(['merge', results, await subjectTree(git, candidate)])
  }
  const gates = asked.required.map((gate) => standingOf(gate, places, request))
  const severities = new Map(asked.required.map(({ gate, severity }) => [gate, severity]))
  const found = places.flatMap(([, results]) => ofGates(results, (gate) => severities.get(gate) ?? 'block'))
  return { gates, merge, findings: [...findings, ...found] }
}

/** A merge result is only looked at, so that the same range gives the same commit again and no clutter. */
const FIXED = '2000-01-01T00:00:00Z'

/** Without a common commit nothing can be merged, unless the base holds nothing at all. */
async function mergeOf(git: Git, { base, head, related }: Range): Promise<{ tree: string } | { conflicts: string[] }> {
  if (related) return mergeTree(git, base, head)
  const isEmpty = (await git.text(['ls-tree', requireRevision(base)])) === ''
  return isEmpty ? { tree: await git.text(['rev-parse', `${head}^{tree}`]) } : { conflicts: [] }
}

/** The one pure decision, asked of each place; what is worse counts. */
function standingOf(
  required: RequiredGate,
  places: readonly [CheckedGate['results'][number]['on'], GateResult[], string][],
  { clock }: CheckRequest,
): CheckedGate {
  const now = new Date(clock.now()).toISOString()
  const standings = places.map(
    ([, results, tree]) => decide('deliver', [required], results, now, { tree, staged: tree }).standings[0]?.standing,
  )
  const verdict = WORST_FIRST.find((standing) => standings.includes(standing)) ?? 'missing'
  const results = places.flatMap(([on, judged]) => {
    const result = judged.find(({ gate }) => gate === required.gate)
    return result === undefined ? [] : [{ on, result }]
  })
  return { gate: required.gate, verdict, severity: required.severity, results }
}

const WORST_FIRST: readonly Standing[] = ['fail', 'inconclusive', 'missing', 'stale', 'waived', 'pass', 'not-applicable']
