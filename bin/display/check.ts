import type { CheckedGate, CheckReport } from '../../conductor/check/check.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import type { Paint } from './paint.ts'
import { clean, counted, shorten, table } from './text.ts'
import { resultRow, verdictWord } from './verdict.ts'

/** Notices of one rule that are shown one by one; the rest is counted. */
const MOST_NOTICES = 5

/** Returns a report as people read it: gates, what was found, what was set aside, and the sum of it in the last line. */
export function checkText(report: CheckReport, notes: readonly string[], paint: Paint): string {
  const { ok, base, head, gates, findings, waivers } = report
  const shown = findings.filter(({ rule, severity }) => severity !== 'notice' && !isToldByGate(rule, gates))
  const notices = noticesOf(findings, paint)
  return [
    ...notes.map((note) => `${paint.warn('note:')} ${note}`),
    table(gates.map((gate) => gateRow(gate, paint))),
    ...(shown.length > 0 ? ['', table(shown.map((finding) => findingRow(finding, paint)))] : []),
    ...(notices.length > 0 ? ['', ...notices] : []),
    ...(waivers.length > 0
      ? [
          '',
          paint.bold('set aside'),
          table(
            waivers.map(({ kind, gate, by, reason, expires, expired }) => [
              paint.warn(kind === 'waiver' ? 'waived' : 'left out'),
              gate,
              clean(by),
              `${expired ? 'ended' : 'until'} ${expires}`,
              clean(reason),
            ]),
            2,
          ),
        ]
      : []),
    '',
    `${ok ? paint.good('ok') : paint.bad('not ok')}  ${head.slice(0, 9)} against ${base.slice(0, 9)}: ${sumOf(report)}`,
  ].join('\n')
}

function gateRow(gate: CheckedGate, paint: Paint): string[] {
  const worst = gate.results.find(({ result }) => result.verdict === gate.verdict) ?? gate.results[0]
  if (worst === undefined) return [verdictWord(gate.verdict, paint, gate.severity), gate.gate, '', paint.dim('was not judged')]
  const [, name = '', took = '', why = ''] = resultRow({ ...worst.result, severity: gate.severity }, paint)
  const where = worst.on === 'merge' && gate.results.length > 1 ? paint.dim('on the merge result: ') : ''
  return [verdictWord(gate.verdict, paint, gate.severity), name, took, `${where}${why}`]
}

/** A gate that says no without findings of its own has said why in its row. */
function isToldByGate(rule: string, gates: readonly CheckedGate[]): boolean {
  return gates.some(({ gate }) => gate === rule)
}

function findingRow({ rule, severity, path, message }: Finding, paint: Paint): string[] {
  const where = path && !message.includes(path) ? `${clean(path)}: ` : ''
  return [severity === 'error' ? paint.bad(severity) : paint.warn(severity), paint.dim(rule), `${where}${clean(message)}`]
}

/** What was set aside has a table of its own. */
function noticesOf(findings: readonly Finding[], paint: Paint): string[] {
  const notices = findings.filter(
    ({ rule, severity }) => severity === 'notice' && rule !== 'gate-waived' && rule !== 'gate-skipped',
  )
  const rules = [...new Set(notices.map(({ rule }) => rule))]
  return rules.flatMap((rule) => {
    const found = notices.filter((finding) => finding.rule === rule)
    const lines = found
      .slice(0, MOST_NOTICES)
      .map(({ message }) => `${paint.dim(`notice  ${rule}`)}  ${shorten(clean(message), 160)}`)
    const more = found.length - lines.length
    return more > 0 ? [...lines, paint.dim(`notice  ${rule}  and ${more} more`)] : lines
  })
}

function sumOf({ gates, commits, merge }: CheckReport): string {
  const no = gates.filter(({ verdict }) => !['pass', 'not-applicable', 'waived'].includes(verdict)).length
  const seen = commits.filter(({ evidence }) => evidence !== 'missing' && evidence !== 'stale').length
  const places = { same: 'merging changes nothing', judged: 'merge result judged, too', conflict: 'cannot be merged' }[merge]
  const asked = `${counted(gates.length, 'gate')}, ${no === 0 ? 'none says no' : `${no} ${no === 1 ? 'says' : 'say'} no`}`
  return `${asked}; ${counted(commits.length, 'commit')}${commits.length > 0 ? `, ${seen} with evidence` : ''}; ${places}`
}
