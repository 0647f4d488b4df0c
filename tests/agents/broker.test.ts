import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAPS, openBroker, parseIntent } from '../../agents/broker.ts'
import { defaultConfig } from '../../core/config.ts'
import type { BrokerFacts, Intent } from '../../core/contracts/intent.ts'

const FACTS: BrokerFacts = {
  issue: 42,
  branch: 'phase/build_42',
  tools: ['read', 'write', 'git', 'forge'],
  protected: defaultConfig().protected,
  approved: [],
  artifacts: '.valuetrain/tickets/build_42/artifacts',
  steering: ['auto', 'now', 'blocked'],
  caps: CAPS,
}
const judge = (intent: unknown, facts: Partial<BrokerFacts> = {}) => openBroker({ ...FACTS, ...facts }).judge(parseIntent(intent))
const commit = (...paths: string[]): Intent => ({ kind: 'commit', message: 'Mend it', paths })

describe('the broker', () => {
  it('lets through what a run of its own ticket may ask for', () => {
    const broker = openBroker(FACTS)
    const intents: Intent[] = [
      commit('src/a.ts', '.valuetrain/tickets/build_42/artifacts/note.md'),
      { kind: 'push', branch: 'phase/build_42' },
      { kind: 'comment', issue: 42, text: 'It was the rounding.' },
      { kind: 'label', issue: 42, add: ['bug'], remove: [] },
      { kind: 'open-pull-request', branch: 'phase/build_42', title: 'Mend it', body: 'See the issue.' },
      { kind: 'ask', question: 'Which rounding?', options: ['half up', 'half even'] },
    ]
    expect(intents.map((intent) => broker.judge(intent))).toEqual(intents.map(() => ({ allowed: true })))
    expect(broker.used).toEqual({ commit: 1, push: 1, comment: 1, label: 1, 'open-pull-request': 1, ask: 1 })
  })

  it.each([
    ['another branch', { kind: 'push', branch: 'main' }],
    ['a branch that is an option', { kind: 'push', branch: '--mirror' }],
    ['a pull request of another branch', { kind: 'open-pull-request', branch: 'main', title: 'x', body: 'y' }],
    ['another issue', { kind: 'comment', issue: 43, text: 'hello' }],
    ['a label that starts work', { kind: 'label', issue: 42, add: ['Auto'] }],
    ['a label that names commands', { kind: 'label', issue: 42, add: ['recipe:deploy'] }],
    ['taking away a label that holds work back', { kind: 'label', issue: 42, remove: ['blocked'] }],
    ['a token in a comment', { kind: 'comment', issue: 42, text: `use ghp_${'a1B2'.repeat(9)}` }],
    ['a file outside', commit('../x')],
    ['a file outside by a detour', commit('src/../../x')],
    ['an absolute path', commit('/etc/passwd')],
    ['a hook of git', commit('.git/hooks/pre-commit')],
    ['a hook of git in other letters', commit('sub/.GIT/config')],
    ['the configuration', commit('.valuetrain/config.yaml')],
    ['the configuration by a detour', commit('.valuetrain/tickets/build_42/artifacts/../../../config.yaml')],
    ['its own session', commit('.valuetrain/tickets/build_42/session-1.md')],
    ['the artifacts of another ticket', commit('.valuetrain/tickets/build_43/artifacts/x')],
    ['a workflow', commit('src/a.ts', '.github/workflows/ci.yml')],
    ['a workflow in other letters', commit('.GitHub/Workflows/ci.yml')],
    ['a husky hook', commit('.husky/pre-commit')],
  ])('refuses %s, says why, and counts nothing', (_, intent) => {
    const broker = openBroker(FACTS)
    const ruling = broker.judge(parseIntent(intent))
    expect(ruling).toEqual({ allowed: false, reasons: [expect.stringMatching(/\S/)] })
    expect(Object.values(broker.used)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('lets a protected path through that was approved, and no other beside it', () => {
    const approved = ['.github/workflows/ci.yml']
    expect(judge(commit('.github/workflows/ci.yml'), { approved })).toEqual({ allowed: true })
    expect(judge(commit('.github/workflows/other.yml'), { approved })).toMatchObject({ allowed: false })
  })

  it('refuses what the role has no tool for', () => {
    expect(judge(commit('a'), { tools: ['read'] })).toEqual({ allowed: false, reasons: ['the role may not use git here'] })
    expect(judge({ kind: 'comment', issue: 42, text: 'x' }, { tools: ['git'] })).toMatchObject({ allowed: false })
    expect(judge({ kind: 'ask', question: 'x' }, { tools: [] })).toEqual({ allowed: true })
  })

  it('lets no more through than the caps of a run, however often it is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('comment', 'ask', 'push'), { maxLength: 60 }), (kinds) => {
        const broker = openBroker(FACTS)
        const of = {
          comment: { kind: 'comment', issue: 42, text: 'x' },
          ask: { kind: 'ask', question: 'x', options: [] },
          push: { kind: 'push', branch: FACTS.branch },
        }
        const through = kinds.filter((kind) => broker.judge(of[kind as keyof typeof of] as Intent).allowed)
        for (const kind of ['comment', 'ask', 'push'] as const) {
          const asked = kinds.filter((one) => one === kind).length
          expect(through.filter((one) => one === kind).length).toBe(Math.min(asked, CAPS[kind]))
          expect(broker.used[kind]).toBe(Math.min(asked, CAPS[kind]))
        }
      }),
    )
  })

  it.each([
    ['an unknown kind', { kind: 'merge', branch: 'x' }],
    ['an unknown key', { kind: 'push', branch: 'phase/build_42', force: true }],
    ['a title of two lines', { kind: 'open-pull-request', branch: 'b', title: 'a\nb', body: 'c' }],
    ['no object', 'push'],
    ['a commit of nothing', { kind: 'commit', message: 'x', paths: [] }],
  ])('takes no intent with %s', (_, value) => {
    expect(() => parseIntent(value)).toThrow(expect.objectContaining({ code: 'VT_CONFIG' }))
  })
})
