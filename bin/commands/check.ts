import type { CheckReport } from '../../conductor/check/check.ts'
import { defineCommand, flag, usageError } from '../command.ts'
import type { Context } from '../context.ts'
import { checkText } from '../display/check.ts'
import { paintFor } from '../display/paint.ts'
import { openJudging, requestOf } from '../judging.ts'

export default defineCommand({
  description:
    'Judges what a head adds to a base, as a whole. Gates run in full, in a clean checkout, on the head and on what merging it would give; every other commit is judged by the evidence for its tree; sessions are held to their chains, their ticks to their results. Everything that judges is defined as the base has it. Continuous integration runs this and nothing else, with the same outcome. Exit code 1 when a gate that blocks says no, or an error is found.',
  examples: [
    { does: 'Before a push', line: 'check' },
    { does: 'In continuous integration', line: 'check --base origin/main --head HEAD --json' },
  ],
  flags: {
    base: flag.text('REF', 'What the head is judged against; the default branch unless told.'),
    head: flag.text('REF', 'What is judged; HEAD unless told.'),
    branch: flag.text('NAME', 'Branch the head is on, where git does not tell: continuous integration checks out none.'),
    sarif: flag.switch('Print SARIF 2.1.0.'),
    junit: flag.switch('Print JUnit XML.'),
    reuse: flag.switch('Repeat what the session says about the very same question. Not in continuous integration.'),
  },
  json: true,
  async run(context, { flags }) {
    const { json, sarif, junit } = flags
    if ([json, sarif, junit].filter(Boolean).length > 1)
      throw usageError('--json, --sarif and --junit are three forms of one report', 'give one of them')
    const judging = await openJudging(context, flags)
    const notes = [...judging.notes]
    const inCi = isCi(context.env)
    if (flags.reuse && inCi)
      notes.push('--reuse counts for nothing in continuous integration, which trusts no result of elsewhere')
    const { checkRange } = await import('../../conductor/check/check.ts')
    const report = await checkRange({ ...requestOf(judging, context), reuse: flags.reuse && !inCi })
    const forPrograms = json || sarif || junit
    if (forPrograms) for (const note of notes) context.stderr.write(`note: ${note}\n`)
    context.stdout.write(
      sarif
        ? (await import('../display/sarif.ts')).renderSarif(report, context.version)
        : junit
          ? (await import('../display/junit.ts')).renderJunit(report)
          : json
            ? `${JSON.stringify(asJson(report, notes))}\n`
            : `${checkText(report, notes, paintFor(context))}\n`,
    )
    return report.ok ? 0 : 1
  },
})

function asJson({ ok, base, head, merge, gates, findings, commits, waivers }: CheckReport, notes: readonly string[]): object {
  return {
    ok,
    base,
    head,
    gates: gates.map(({ gate, verdict }) => ({ gate, verdict })),
    findings: findings.map(({ rule, severity, commit, path, message }) => ({
      rule,
      severity,
      commit: commit ?? null,
      path: path ?? null,
      message,
    })),
    merge,
    commits: commits.map(({ commit, tree, evidence }) => ({ commit, tree, evidence })),
    waivers,
    notes,
  }
}

function isCi(env: Context['env']): boolean {
  return env.CI !== undefined && env.CI !== '' && env.CI !== 'false' && env.CI !== '0'
}
