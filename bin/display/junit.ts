import type { CheckedGate, CheckReport } from '../../conductor/check/check.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import { clean } from './text.ts'

/**
 * Returns a report as JUnit XML: a suite with one case a gate, and one with a case for each rule that something was
 * found under. A gate that could not be judged is an error, one that says no a failure, one that was waived or has
 * nothing to say here is skipped.
 *
 * @see https://github.com/testmoapp/junitxml, the form that continuous integration reads; no schema of it is binding
 */
export function renderJunit(report: CheckReport): string {
  const suites = [suite('gates', report.gates.map(caseOfGate)), suite('findings', casesOfFindings(report.findings))]
  const sum = (key: keyof Suite['counts']) => suites.reduce((total, { counts }) => total + counts[key], 0)
  const counts = `tests="${sum('tests')}" failures="${sum('failures')}" errors="${sum('errors')}" skipped="${sum('skipped')}"`
  const body = suites.map(({ xml }) => xml).join('')
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="valuetrain check" ${counts}>\n${body}</testsuites>\n`
}

type Kind = 'failure' | 'error' | 'skipped' | undefined

interface Case {
  name: string
  seconds: number
  kind: Kind
  message: string
  detail: string
}

interface Suite {
  xml: string
  counts: { tests: number; failures: number; errors: number; skipped: number }
}

function caseOfGate({ gate, verdict, severity, results }: CheckedGate): Case {
  const worst = results.find(({ result }) => result.verdict === verdict) ?? results.at(0)
  const seconds = results.reduce((total, { result }) => total + (result.evidence.durationMs ?? 0), 0) / 1000
  const message = `${verdict}${worst ? `: ${worst.result.reasons.join('; ')}` : ''}`
  const detail = results.map(({ on, result }) => `${on}: ${result.evidence.outputTail ?? result.reasons.join('; ')}`).join('\n')
  return { name: gate, seconds, kind: kindOf(verdict, severity), message, detail }
}

function kindOf(verdict: CheckedGate['verdict'], severity: CheckedGate['severity']): Kind {
  if (verdict === 'pass') return undefined
  if (verdict === 'not-applicable' || verdict === 'waived') return 'skipped'
  // A gate that only warns is told in the text of its case and fails nothing.
  if (severity === 'warn') return undefined
  return verdict === 'fail' ? 'failure' : 'error'
}

function casesOfFindings(findings: readonly Finding[]): Case[] {
  const rules = [...new Set(findings.map(({ rule }) => rule))].sort()
  if (rules.length === 0) return [{ name: 'nothing found', seconds: 0, kind: undefined, message: '', detail: '' }]
  return rules.map((rule) => {
    const found = findings.filter((finding) => finding.rule === rule)
    const errors = found.filter(({ severity }) => severity === 'error')
    const detail = found.map(({ severity, commit, message }) => `${severity}: ${commit ? `${commit} ` : ''}${message}`).join('\n')
    const kind = errors.length > 0 ? ('failure' as const) : undefined
    return { name: rule, seconds: 0, kind, message: (errors[0] ?? found[0])?.message ?? '', detail }
  })
}

function suite(name: string, cases: readonly Case[]): Suite {
  const count = (kind: Kind) => cases.filter((one) => one.kind === kind).length
  const counts = { tests: cases.length, failures: count('failure'), errors: count('error'), skipped: count('skipped') }
  const time = cases.reduce((total, { seconds }) => total + seconds, 0).toFixed(3)
  const numbers = `tests="${counts.tests}" failures="${counts.failures}" errors="${counts.errors}" skipped="${counts.skipped}"`
  const body = cases.map((one) => render(one, name)).join('')
  return { counts, xml: `  <testsuite name="${name}" ${numbers} time="${time}">\n${body}  </testsuite>\n` }
}

function render({ name, seconds, kind, message, detail }: Case, group: string): string {
  const open = `    <testcase classname="valuetrain.${group}" name="${escaped(clean(name))}" time="${seconds.toFixed(3)}"`
  const text = clean(message).slice(0, 500)
  if (kind === undefined && detail === '') return `${open}/>\n`
  if (kind === undefined) return `${open}>\n      <system-out>${escaped(detail)}</system-out>\n    </testcase>\n`
  const inner =
    kind === 'skipped'
      ? `<skipped message="${escaped(text)}"/>`
      : `<${kind} message="${escaped(text)}">${escaped(detail)}</${kind}>`
  return `${open}>\n      ${inner}\n    </testcase>\n`
}

/** Characters that XML 1.0 has no way to write are left out. */
function escaped(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/"/g, '&quot;')
  )
}
