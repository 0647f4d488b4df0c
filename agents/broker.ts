import { posix } from 'node:path'
import * as z from 'zod'
import { checkShape } from '../core/config.ts'
import { isRefName } from '../core/refs.ts'
import { findSecrets } from '../core/secrets.ts'
import { matchesAny } from '../gates/glob.ts'

const line = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, 'is one line')
const text = z.string().min(1).max(60_000)

/** What an agent may ask for. It states what it wants; whether and by whom it is done is not its to say. */
export const Intent = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('commit'), message: text, paths: z.array(z.string().min(1)).min(1).max(5_000) }),
  z.strictObject({ kind: z.literal('push'), branch: z.string() }),
  z.strictObject({ kind: z.literal('comment'), issue: z.int().min(1), text }),
  z.strictObject({
    kind: z.literal('label'),
    issue: z.int().min(1),
    add: z.array(line).default([]),
    remove: z.array(line).default([]),
  }),
  z.strictObject({ kind: z.literal('open-pull-request'), branch: z.string(), title: line, body: text }),
  z.strictObject({ kind: z.literal('ask'), question: text, options: z.array(line).max(10).default([]) }),
])
export type Intent = z.infer<typeof Intent>
export type IntentKind = Intent['kind']

/** Intents of each kind that one run gets through. */
export type Caps = Readonly<Record<IntentKind, number>>
export const CAPS: Caps = { commit: 50, push: 10, comment: 5, label: 5, 'open-pull-request': 1, ask: 3 }

/** What the policy knows of the run that asks. */
export interface BrokerFacts {
  /** The ticket's issue and branch: the only ones an agent may speak for. */
  issue: number
  branch: string
  /** Tools the role may use in this mode; `git` for commits and pushes, `forge` for the rest. */
  tools: readonly string[]
  /** Globs of paths that take an approval, and those approved. */
  protected: readonly string[]
  approved: readonly string[]
  /** The one folder of `.valuetrain` that is the agent's, from the root. */
  artifacts: string
  /** Labels that steer the work; an agent may not give or take them. */
  steering: readonly string[]
  caps: Caps
}

/** What the policy says to an intent. Reasons are for people and for the agent alike. */
export type Ruling = { allowed: true } | { allowed: false; reasons: string[] }

/** Judges the intents of one run, and counts what it let through. */
export interface Broker {
  judge(intent: Intent): Ruling
  /** What was let through so far. */
  readonly used: Readonly<Record<IntentKind, number>>
}

/**
 * Returns an intent that an agent stated.
 *
 * @throws VT_CONFIG naming the key that is wrong; an unknown key is one
 */
export function parseIntent(value: unknown): Intent {
  return checkShape(Intent, value, 'intent')
}

/**
 * Returns the policy over one run's intents: pure but for its count. It holds no token and does nothing; what it lets
 * through is done by the conductor and the forge, which have their own checks.
 */
export function openBroker(facts: BrokerFacts): Broker {
  const used: Record<IntentKind, number> = { commit: 0, push: 0, comment: 0, label: 0, 'open-pull-request': 0, ask: 0 }
  return {
    used,
    judge(intent) {
      const { kind } = intent
      const reasons = [
        ...toolProblem(facts, kind),
        ...capProblem(facts, kind, used[kind]),
        ...secretProblem(intent),
        ...problems(facts, intent),
      ]
      if (reasons.length > 0) return { allowed: false, reasons }
      used[kind] += 1
      return { allowed: true }
    },
  }
}

function toolProblem({ tools }: BrokerFacts, kind: IntentKind): string[] {
  if (kind === 'ask') return []
  const tool = kind === 'commit' || kind === 'push' ? 'git' : 'forge'
  return tools.includes(tool) ? [] : [`the role may not use ${tool} here`]
}

function capProblem({ caps }: BrokerFacts, kind: IntentKind, used: number): string[] {
  return used < caps[kind] ? [] : [`a run gets ${caps[kind]} of ${kind} through, and this is one more`]
}

/** What leaves the machine is looked through for secrets; which one it was is not repeated. */
function secretProblem(intent: Intent): string[] {
  const texts = Object.values(intent).flatMap((value: unknown) => (Array.isArray(value) ? value : [value]))
  const rules = findSecrets(texts.map(String).join('\n')).map(({ rule }) => rule)
  return [...new Set(rules)].map((rule) => `it holds what looks like a secret (${rule})`)
}

function problems(facts: BrokerFacts, intent: Intent): string[] {
  switch (intent.kind) {
    case 'commit':
      return intent.paths.flatMap((path) => pathProblem(facts, path))
    case 'push':
      return branchProblem(facts, intent.branch)
    case 'open-pull-request':
      return branchProblem(facts, intent.branch)
    case 'comment':
      return issueProblem(facts, intent.issue)
    case 'label':
      return [...issueProblem(facts, intent.issue), ...labelProblem(facts, [...intent.add, ...intent.remove])]
    case 'ask':
      return []
  }
}

function pathProblem({ protected: kept, approved, artifacts }: BrokerFacts, path: string): string[] {
  const clean = posix.normalize(path)
  if (path.includes('\0') || path.includes('\\') || posix.isAbsolute(path) || clean === '..' || clean.startsWith('../')) {
    return [`${JSON.stringify(path.slice(0, 120))} is not a path in this repository`]
  }
  // Case does not tell files apart on every machine that checks this out.
  const lower = clean.toLowerCase()
  if (lower.split('/').includes('.git')) return [`${clean.slice(0, 120)} belongs to git`]
  if (lower === '.valuetrain' || lower.startsWith('.valuetrain/')) {
    const own = `${artifacts.replace(/\/$/, '')}/`
    if (!clean.startsWith(own)) return [`of .valuetrain only ${own} may be written`]
  }
  if (approved.includes(clean)) return []
  return matchesAny(
    lower,
    kept.map((glob) => glob.toLowerCase()),
  )
    ? [`${clean.slice(0, 120)} is protected`]
    : []
}

function branchProblem({ branch }: BrokerFacts, asked: string): string[] {
  if (asked === branch && isRefName(asked)) return []
  return [`${JSON.stringify(asked.slice(0, 80))} is not this ticket's branch ${branch}`]
}

function issueProblem({ issue }: BrokerFacts, asked: number): string[] {
  return asked === issue ? [] : [`issue ${asked} is not this ticket's issue ${issue}`]
}

function labelProblem({ steering }: BrokerFacts, labels: readonly string[]): string[] {
  const steers = (label: string) =>
    /^(?:recipe|agent):/i.test(label) || steering.some((one) => one.toLowerCase() === label.toLowerCase())
  return labels.filter(steers).map((label) => `the label ${JSON.stringify(label)} steers the work`)
}
