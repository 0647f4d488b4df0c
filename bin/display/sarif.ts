import type { CheckReport } from '../../conductor/check/check.ts'
import { sha256 } from '../../core/canonical.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import { RULES } from './rules.ts'
import { clean } from './text.ts'

const LEVELS = { error: 'error', warning: 'warning', notice: 'note' } as const

/**
 * Returns a report as SARIF 2.1.0, one run. A finding about no file has no location; its commit is a property.
 *
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
export function renderSarif(report: CheckReport, version: string): string {
  const ids = [...new Set(report.findings.map(({ rule }) => rule))].sort()
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'valuetrain',
            semanticVersion: version,
            rules: ids.map((id) => ({ id, shortDescription: { text: RULES[id] ?? `Gate ${id} says no.` } })),
          },
        },
        // The tool did its work either way; what it says about the range is in the results.
        invocations: [{ executionSuccessful: true, exitCode: report.ok ? 0 : 1 }],
        columnKind: 'utf16CodeUnits',
        results: report.findings.map((finding) => resultOf(finding, ids.indexOf(finding.rule))),
        properties: { base: report.base, head: report.head, ok: report.ok },
      },
    ],
  }
  return `${JSON.stringify(log, null, 2)}\n`
}

function resultOf({ rule, severity, message, path, line, commit }: Finding, ruleIndex: number): object {
  const region = line === undefined ? {} : { region: { startLine: Math.max(1, line) } }
  const uri = path === undefined ? undefined : path.split('/').map(encodeURIComponent).join('/')
  return {
    ruleId: rule,
    ruleIndex,
    level: LEVELS[severity],
    message: { text: clean(message) },
    ...(uri === undefined
      ? {}
      : { locations: [{ physicalLocation: { artifactLocation: { uri, uriBaseId: '%SRCROOT%' }, ...region } }] }),
    // Lines move; the same finding on the next push is the same one.
    partialFingerprints: { 'valuetrain/v1': sha256(`${rule} ${path ?? ''} ${message}`).slice(0, 32) },
    ...(commit === undefined ? {} : { properties: { commit } }),
  }
}
