import type { Finding, GateResult } from '../../core/contracts/gate.ts'

/** Rules that say a session was cut: something that was written is not there. */
const CUT = new Set([
  'parent-unknown',
  'parent-head-unknown',
  'closing-early',
  'anchor-missing',
  'segment-missing',
  'segment-removed',
  'entries-removed',
])
/** Rules about sessions that keep their name: the log is what was written, and says something that is not allowed. */
const OWN_NAME = new Set(['session-fork', 'step-refused', 'outranked', 'event-unknown', 'redaction-unexplained'])

/** Returns a finding about a session under the rule that `check` has for it. */
export function ofSession(finding: Finding): Finding {
  if (finding.severity !== 'error' || OWN_NAME.has(finding.rule)) return finding
  return { ...finding, rule: CUT.has(finding.rule) ? 'session-cut' : 'session-altered' }
}

/**
 * Returns what gates found, under the rules that `check` has for it. A gate that says no and has no finding of its own
 * tells its reasons, under its own name.
 */
export function ofGates(results: readonly GateResult[], severityOf: (gate: string) => 'block' | 'warn'): Finding[] {
  return results.flatMap((result): Finding[] => {
    const saysNo = result.verdict === 'fail' || result.verdict === 'inconclusive'
    if (result.findings.length === 0) {
      if (!saysNo) return []
      const severity = severityOf(result.gate) === 'block' ? 'error' : 'warning'
      return [{ rule: result.gate, severity, message: result.reasons.join('; ') }]
    }
    // What a person waived, or what only warns here, is told and does not say no.
    const softened = !saysNo || severityOf(result.gate) === 'warn'
    return result.findings.map((finding): Finding => {
      const severity = softened && finding.severity === 'error' ? 'warning' : finding.severity
      return { ...named(result.gate, finding), severity }
    })
  })
}

function named(gate: string, finding: Finding): Finding {
  switch (gate) {
    case 'secrets':
      return finding.severity === 'error' ? { ...finding, rule: 'secret' } : finding
    case 'frozen':
      return { ...finding, rule: 'frozen-changed' }
    case 'single-writer':
      return ofSession(finding)
    default:
      return finding
  }
}

/** Returns findings with each said once, worst first, otherwise in the order in which they were found. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const rank = { error: 0, warning: 1, notice: 2 } as const
  const unique = new Map<string, Finding>()
  for (const finding of findings) {
    const key = `${finding.rule}\0${finding.commit ?? ''}\0${finding.path ?? ''}\0${finding.message}`
    const known = unique.get(key)
    if (known === undefined || rank[finding.severity] < rank[known.severity]) unique.set(key, finding)
  }
  return [...unique.values()].sort((a, b) => rank[a.severity] - rank[b.severity])
}
