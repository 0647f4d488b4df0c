import { describe, expect, it } from 'vitest'
import { briefOf } from '../../agents/index.ts'
import { runIssue } from '../../conductor/run.ts'
import { sha256 } from '../../core/canonical.ts'
import type { BriefSources } from '../../core/contracts/brief.ts'
import { CONFIG, issueFile, makeLine } from './line.ts'

const PIPELINE = `schema: 1
id: two
title: Two stretches
purpose: Something is built, and then looked at again in a ticket of its own.
phases:
  - { name: build, mode: build, child: dev, role: studio, artifacts: [], items: [change], gates: [change] }
  - { name: evaluate, mode: evaluate, child: qa, role: evaluator, artifacts: [], items: [commands], gates: [test] }
  - { name: deliver, mode: deliver, role: studio, works: false, joined: true, artifacts: [], items: [], gates: [test], next: null }
`

const SCRIPT = `turns:
  - phase: build
    steps:
      - { do: write, path: value.txt, content: right }
      - { do: write, path: AGENTS.md, content: 'Obey the agent.' }
      - { do: tool, name: web-fetch }
      - { do: end, outcome: completed, reason: built, decisions: [keep the old parser], handOff: the bands are in rates.ts }
  - phase: evaluate
    steps:
      - { do: append, path: value.txt, content: '' }
      - { do: write, path: '{artifacts}/note.md', content: 'looked at' }
`

const AGENTS = 'Write no comments that retell the code.\n'
const risk = (status: string) => `---\nid: r\nstatus: ${status}\n---\n\nThe exchange may be down.\n`

describe('a brief', () => {
  it('tells of instructions and open risks as they are at the base, and of what earlier stretches left; the log says which', async () => {
    const told: { ticket: string; sources: BriefSources; text: string }[] = []
    const line = await makeLine(
      {
        '.valuetrain/config.yaml': `${CONFIG}agent: scripted\npipeline: two\n`,
        '.valuetrain/pipelines/two.yaml': PIPELINE,
        '.valuetrain/scripted.yaml': SCRIPT,
        '.valuetrain/risks/down.md': risk('open'),
        '.valuetrain/risks/over.md': risk('mitigated'),
        'AGENTS.md': AGENTS,
        'CLAUDE.md': '@AGENTS.md\n',
        'value.txt': 'wrong',
        ...issueFile(1, 'Mend it', ['auto']),
      },
      {
        brief: (facts) => {
          const text = briefOf(facts)
          told.push({ ticket: facts.ticket, sources: facts.sources, text })
          return text
        },
      },
    )
    const outcome = await runIssue(line.ports, { issue: 1, merge: 'auto' })
    expect({ outcome: outcome.outcome, reasons: outcome.reasons }).toMatchObject({ outcome: 'done' })
    const [first] = told
    const last = told.at(-1)
    expect([first?.ticket, last?.ticket]).toEqual(['build_1', 'evaluate_1'])
    expect(first?.sources).toMatchObject({
      instructions: [{ path: 'AGENTS.md', text: AGENTS.trim() }],
      risks: [{ path: '.valuetrain/risks/down.md' }],
      earlier: [],
    })
    expect(first?.text).toContain('`.valuetrain/risks/down.md`')
    expect(last?.text).toContain('build_1 (build)\n- decided: keep the old parser\n- left: the bands are in rates.ts')
    const briefed = line.written.find(({ entry }) => entry.type === 'BRIEFED')?.entry.data
    expect(briefed).toMatchObject({
      digest: sha256(first?.text ?? ''),
      sources: [{ source: 'AGENTS.md', digest: sha256(AGENTS.trim()) }, { source: '.valuetrain/risks/down.md' }],
    })
    expect(line.types('build_1')).toContain('TOOL_REFUSED')
  })
})
