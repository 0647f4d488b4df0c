import { describe, expect, it } from 'vitest'
import { sha256 } from '../../core/canonical.ts'
import { parseConfig } from '../../core/config.ts'
import { judgeGate, ownWords, renderSummary, type SummaryFacts, summaryText } from '../../gates/index.ts'
import { ARTIFACTS, entriesOf, event, gateOf, openBench, opening, TICKET } from './context.ts'
import { resultOf } from './fixtures.ts'

const FACTS: SummaryFacts = {
  ticket: TICKET,
  issue: { number: 42, title: 'Say "hello" | in <b>colour</b>' },
  files: [
    { path: 'src/main.mjs', status: 'changed', added: 3, removed: 1 },
    { path: 'img/a b.png', status: 'added', added: null, removed: null },
  ],
  commits: [{ id: 'a'.repeat(40), title: 'Say hello' }],
  verdicts: [
    { gate: 'test', verdict: 'pass', severity: 'block', reasons: ['`npm test` ended with 0'] },
    { gate: 'docs', verdict: 'fail', severity: 'warn', reasons: ['stale | page'] },
  ],
  notConfigured: ['types', 'build'],
  overridden: [{ gate: 'size', by: 'Ada Tester', reason: 'a fixture' }],
  decisions: ['keep the old parser'],
  base: 'b'.repeat(40),
}

describe('the change summary', () => {
  it('tells what, why, what was asked, what was not, and how to review', () => {
    expect(summaryText(FACTS)).toMatchInlineSnapshot(`
      "# Say "hello" \\| in \\<b\\>colour\\</b\\>

      Ticket build_42, issue 42.

      ## Why

      Issue 42 asks for it: Say "hello" \\| in \\<b\\>colour\\</b\\>

      ## What

      2 files, 3 lines added, 1 removed.

      - \`src/main.mjs\` changed, +3 -1
      - \`img/a b.png\` added, binary

      ## Commits

      - aaaaaaaa Say hello

      ## Decisions

      - keep the old parser

      ## Gates

      | gate | verdict | reason |
      |---|---|---|
      | test | pass | \\\`npm test\\\` ended with 0 |
      | docs | fail (warning) | stale \\| page |

      Not configured, so nobody looked: types, build. Name the commands in \`.valuetrain/config.yaml\` to have them asked.

      ## Overridden

      - size, by Ada Tester: a fixture

      ## How to review

      - Read the change: \`git diff bbbbbbbbbbbb...phase/build_42\`
      - Begin where most changed: \`src/main.mjs\`, \`img/a b.png\`
      - Look at what did not pass: docs
      - Look at what was overridden, and whether the reason holds
      - See how it came about: \`valuetrain session log build_42\`
      "
    `)
  })

  it('is the same text for the same facts, and has words of its own', () => {
    expect(summaryText(structuredClone(FACTS) as SummaryFacts)).toBe(summaryText(FACTS))
    expect(ownWords(summaryText(FACTS))).toBeGreaterThan(20)
  })

  it('of a branch satisfies its gate as it was rendered, and not when it was touched up', async () => {
    const bench = await openBench()
    const head = await bench.work({ 'src/main.mjs': 'export const answer = 42\n', 'src/naïve name.mjs': 'export {}\n' })
    const context = await bench.context()
    const judged = event('GATE_JUDGED', {
      stage: 'advance',
      phase: 'build',
      attempt: 1,
      result: await resultOf(context, 'test', 'pass', 'a'.repeat(64)),
    })
    const entries = entriesOf(opening(judged))
    const config = parseConfig('commands: { test: [npm, test] }\n')
    const issue = { number: 42, title: 'The answer' }
    const text = await renderSummary({
      git: bench.repository.git,
      base: bench.base,
      head,
      ticket: TICKET,
      issue,
      entries,
      config,
    })
    expect(text).toContain('2 files, 2 lines added, 1 removed.')
    expect(text).toContain('- `src/naïve name.mjs` added, +1 -0')
    expect(text).toContain('Not configured, so nobody looked: lint, types, build.')
    expect(text).toContain('| test | pass |')

    const path = `${ARTIFACTS}/change-summary.md`
    await bench.work({ [path]: text })
    const recorded = entriesOf(opening(judged, event('ARTIFACT_WRITTEN', { path, digest: sha256(text) })))
    const judge = async () => judgeGate(gateOf(context, 'summary'), await bench.context({ entries: recorded }))
    expect((await judge()).verdict).toBe('pass')
    await bench.work({ [path]: text.replace('| pass |', '| waived |') })
    expect((await judge()).reasons).toEqual([`${path} is not the summary that was rendered`])
  })
})
