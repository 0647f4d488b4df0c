import { posix } from 'node:path'
import { checkShape } from '../core/config.ts'
import { type Broker, type BrokerFacts, type Caps, Intent, type IntentKind } from '../core/contracts/intent.ts'
import { isRefName } from '../core/refs.ts'
import { findSecrets } from '../core/secrets.ts'
import { matchesAny } from '../gates/glob.ts'

/** What a run gets unless it is told. */
export const CAPS: Caps = { commit: 50, push: 10, comment: 5, label: 5, 'open-pull-request': 1, ask: 3 }

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
