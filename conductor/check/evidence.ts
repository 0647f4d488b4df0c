import type { PlacedEntry } from '../../core/contracts/event.ts'
import { EvidenceRecord, type Skip } from '../../core/contracts/evidence.ts'
import type { Finding, GateSpec, Verdict } from '../../core/contracts/gate.ts'
import type { StoredEvidence } from '../../core/evidence-refs.ts'
import { specDigest } from '../../gates/index.ts'

/** What is known about one tree. */
interface TreeEvidence {
  /** Gates that a session or a record says were asked of it. */
  judged: { gate: string; spec: string | undefined; verdict: Verdict }[]
  /** Each hook's record of it, by itself: gates that two commits passed one each were never passed by either. */
  hooks: { gate: string; spec: string | undefined; verdict: Verdict }[][]
  /** What shows that the conductor decided on it; a session is worth more than a ref. */
  decided: 'session' | 'record' | undefined
}

/** What sessions and evidence refs say, by subject tree. */
export type Evidence = ReadonlyMap<string, TreeEvidence>

/** `stale`: something was asked of the tree, but not what is asked now. */
export type EvidenceStanding = 'base' | 'session' | 'record' | 'hook' | 'stale' | 'missing'

/** What has to have been asked of a commit before it counts as gated. */
export interface Asked {
  /** Specification digests of the gates that a tree is asked, by id. */
  tree: ReadonlyMap<string, string>
  /** The same for the gates that a hook asks of what is staged. */
  staged: ReadonlyMap<string, string>
}

/** Returns what the gates of the base ask of every tree, and of every commit. */
export function askedOfCommits(gates: Iterable<GateSpec>): Asked {
  const all = [...gates].filter(({ severity }) => severity === 'block')
  const digests = (specs: readonly GateSpec[]) => new Map(specs.map((spec) => [spec.id, specDigest(spec)]))
  const aboutTrees = all.filter(({ subject, stages }) => subject === 'tree' && stages.includes('pull-request'))
  return { tree: digests(aboutTrees), staged: digests(all.filter(({ stages }) => stages.includes('pre-commit'))) }
}

/**
 * Returns what is known of each tree. Everything is keyed by tree: whatever happened to the commit since, a result is
 * found exactly when it is about what is there.
 */
export function foldEvidence(sessions: readonly (readonly PlacedEntry[])[], records: readonly EvidenceRecord[]): Evidence {
  const found = new Map<string, TreeEvidence>()
  const of = (tree: string): TreeEvidence => {
    const known = found.get(tree) ?? { judged: [], hooks: [], decided: undefined }
    found.set(tree, known)
    return known
  }
  for (const entry of sessions.flat()) {
    if (entry.data === null) continue
    if (entry.type === 'GATE_JUDGED') {
      const { gate, spec, verdict, subject } = entry.data.result
      if (subject.kind === 'tree' || subject.kind === 'staged') of(subject.digest).judged.push({ gate, spec, verdict })
    }
    if (entry.type === 'DECIDED' && entry.data.subject !== undefined) of(entry.data.subject).decided = 'session'
    if (entry.type === 'DELIVERED') of(entry.data.merge).decided = 'session'
  }
  for (const { by, tree, results } of records) {
    const judged = results.map(({ gate, spec, verdict }) => ({ gate, spec, verdict }))
    const known = of(tree)
    if (by === 'hook') known.hooks.push(judged)
    else {
      known.judged.push(...judged)
      known.decided ??= 'record'
    }
  }
  return found
}

/**
 * Returns what a tree's evidence is worth under the definitions that judge now. A session counts when every gate a tree
 * is asked was asked of this one, whatever it said: a failed attempt is history, and not a way round the gates. A hook's
 * record counts when everything it had to ask held.
 */
export function standingOfTree(tree: string, trusted: ReadonlySet<string>, evidence: Evidence, asked: Asked): EvidenceStanding {
  if (trusted.has(tree)) return 'base'
  const known = evidence.get(tree)
  if (known === undefined) return 'missing'
  const { judged, hooks, decided } = known
  const wasAsked = [...asked.tree].every(([gate, spec]) => judged.some((one) => one.gate === gate && one.spec === spec))
  if (wasAsked && (decided !== undefined || asked.tree.size > 0)) return decided ?? 'session'
  if (hooks.some((record) => passed(record, asked.staged))) return 'hook'
  return 'stale'
}

/** Returns the records that can be read, and a finding for each that cannot. */
export function parseEvidence(stored: readonly StoredEvidence[]): { records: EvidenceRecord[]; findings: Finding[] } {
  const records: EvidenceRecord[] = []
  const findings: Finding[] = []
  for (const { ref, commit, text } of stored) {
    const parsed = EvidenceRecord.safeParse(parseJson(text))
    if (parsed.success) records.push(parsed.data)
    else findings.push({ rule: 'evidence-unreadable', severity: 'notice', message: `a record of ${ref} cannot be read`, commit })
  }
  return { records, findings }
}

/** Returns the gates that hooks left out for trees of the range, with who, why and until when. */
export function skipsOf(records: readonly EvidenceRecord[], trees: ReadonlySet<string>): (Skip & { tree: string })[] {
  return records.filter(({ tree }) => trees.has(tree)).flatMap(({ skips, tree }) => skips.map((skip) => ({ ...skip, tree })))
}

const HOLDS: ReadonlySet<Verdict> = new Set(['pass', 'not-applicable', 'waived'])

function passed(record: TreeEvidence['judged'], staged: ReadonlyMap<string, string>): boolean {
  return [...staged].every(([gate, spec]) =>
    record.some((one) => one.gate === gate && (one.spec === undefined || one.spec === spec) && HOLDS.has(one.verdict)),
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
