import { describe, expect, it } from 'vitest'
import type { ExtensionJudge } from '../../core/contracts/extension.ts'
import { GateSpec } from '../../core/contracts/gate.ts'
import { judgeGate } from '../../gates/index.ts'
import { openBench } from './context.ts'

const spec = GateSpec.parse({
  id: 'mine',
  title: 'Mine',
  why: 'a test',
  subject: 'range',
  kind: { type: 'builtin', name: 'mine' },
})

describe('a gate with code of its own', () => {
  it('sees what the change starts from, what it brings and what differs', async () => {
    const bench = await openBench()
    await bench.work({ 'src/main.mjs': 'export const answer = 42\n' })
    const judge: ExtensionJudge = async ({ base, head, changed }) => ({
      verdict: 'fail',
      reasons: [
        `${await base.read('src/main.mjs')}> ${await head.read('src/main.mjs')}`,
        (await changed()).map(({ path }) => path).join(),
      ],
    })
    const result = await judgeGate(spec, await bench.context({ judges: new Map([['mine', judge]]) }))
    expect([result.verdict, result.reasons]).toEqual([
      'fail',
      ['export const answer = 41\n> export const answer = 42\n', 'src/main.mjs'],
    ])
  })

  const cases: [string, unknown][] = [
    ['says nothing', undefined],
    ['invents a verdict', { verdict: 'fine', reasons: ['x'] }],
    ['waives itself', { verdict: 'waived', reasons: ['x'] }],
    ['gives no reason', { verdict: 'pass', reasons: [] }],
    ['brings malformed findings', { verdict: 'pass', reasons: ['x'], findings: [{ message: 1 }] }],
  ]
  it.each(cases)('is never a pass when it %s', async (_, answer) => {
    const bench = await openBench()
    await bench.work({ a: 'x' })
    const result = await judgeGate(spec, await bench.context({ judges: new Map([['mine', (() => answer) as ExtensionJudge]]) }))
    expect(result.verdict).toBe('inconclusive')
  })

  it('is inconclusive when it throws, and when its code is not there', async () => {
    const bench = await openBench()
    await bench.work({ a: 'x' })
    const broken: ExtensionJudge = () => {
      throw new Error('no luck')
    }
    const thrown = await judgeGate(spec, await bench.context({ judges: new Map([['mine', broken]]) }))
    const absent = await judgeGate(spec, await bench.context())
    expect([thrown.verdict, thrown.reasons, absent.verdict]).toEqual([
      'inconclusive',
      ['could not be judged: no luck'],
      'inconclusive',
    ])
  })
})
