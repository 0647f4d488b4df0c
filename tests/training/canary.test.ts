import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import type { RoutingDecision } from '../../training/router/index.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const ARMS = ['recipe:note', 'agent:scripted']
const ISSUES = 42

/** What would have come of every issue: one arm solves them all for little, the other one a quarter of them. */
function table(good: number): string {
  const head = ARMS.flatMap((arm) => ['resolved', 'usd', 'calls'].map((column) => `${arm}|${column}`))
  const rows = Array.from({ length: 120 }, (_, n) => [
    `project-${n}`,
    ...ARMS.flatMap((_, arm) => (arm === good ? [1, 0.1, 3] : [n % 4 === 0 ? 1 : 0, 0.2, 3])),
  ])
  return [['issue', ...head], ...rows].map((row) => `${row.join(',')}\n`).join('')
}

const train = (file: string) =>
  `name: router\nalgorithm: thompson\nenvironment: { outcomes: { table: ${file}, price: 0.1 } }\nrules: []\n`

/** The scripted agent does the same work as the recipe and says that it cost eight dollars. */
const FILES = {
  'champion.csv': table(0),
  'champion.yaml': train('champion.csv'),
  'challenger.csv': table(1),
  'challenger.yaml': train('challenger.csv'),
  '.valuetrain/config.yaml': `version: 1
pipeline: short
recipes: { note: [[sh, -c, 'date +%N >> notes.txt']] }
router: { stage: canary, share: 0.5, price: 0.3, arms: [${ARMS.map((arm) => JSON.stringify(arm)).join(', ')}] }
`,
  '.valuetrain/pipelines/short.yaml':
    'schema: 1\nid: short\ntitle: Short\npurpose: One phase, so that many issues are worked soon.\nphases:\n  - name: build\n    mode: build\n    child: dev\n    role: studio\n    artifacts: []\n    items: [change]\n    gates: [change]\n',
  '.valuetrain/scripted.yaml':
    'turns:\n  - steps: [{ do: append, path: notes.txt, content: "{issue}\\n" }, { do: usage, tokensIn: 9, tokensOut: 9, costUsd: 8 }]\n',
  ...Object.fromEntries(
    Array.from({ length: ISSUES }, (_, n) => [
      `.valuetrain/issues/${n + 1}-note.md`,
      `---\nnumber: ${n + 1}\ntitle: Note ${n + 1}\nlabels: [auto, docs]\nstate: open\ncreated: 2026-01-01T00:00:00Z\n---\n\nPlease note it.\n`,
    ]),
  ),
}

describe.runIf(process.env.VALUETRAIN_FULL !== undefined)('a canary over the issues of a queue', () => {
  it('is split by its share, explained issue by issue, and withdrawn when what came of it is worse', async () => {
    const repository = await makeRepository(FILES)
    const terminal = openTerminal({ ...repository, clock: systemClock, ids: systemIds(systemClock) })
    const versions: string[] = []
    for (const alias of ['champion', 'challenger']) {
      const { stdout } = await terminal.run('train', `${alias}.yaml`, '--json')
      const { run, version } = JSON.parse(stdout.trim().split('\n').at(-1) as string)
      versions.push(version)
      await repository.commit({}, `Train the ${alias}`)
      expect(await terminal.run('policy', 'promote', run, '--as', alias)).toMatchObject({ code: 0 })
    }
    const [champion, challenger] = versions.map((version) => `router@${version.slice(0, 12)}`)
    const { code, stderr, stdout } = await terminal.run('drive', '--once', '--merge', 'auto')
    expect(code).toBe(0)
    expect(stdout + stderr).toContain(`${challenger} was withdrawn: the challenger is worse`)

    const why = async (issue: number) =>
      JSON.parse((await terminal.run('agents', 'why', String(issue), '--json')).stdout) as (RoutingDecision & {
        ticket: string
      })[]
    const all = (await Promise.all(Array.from({ length: ISSUES }, (_, n) => why(n + 1)))).flat()
    expect(all).toHaveLength(ISSUES)
    const trial = all.filter(({ canary }) => canary !== undefined)
    const rest = all.filter(({ canary }) => canary === undefined)
    expect([trial.length >= 20, rest.length >= 5]).toEqual([true, true])
    for (const { chosen, policy, canary, watched, features, outcomes, propensity, arms } of trial) {
      expect([policy, canary?.policy, canary?.share]).toEqual([
        canary?.lane === 'challenger' ? challenger : champion,
        challenger,
        0.5,
      ])
      expect(watched?.policy).toBe(canary?.lane === 'champion' ? challenger : undefined)
      expect(arms.find(({ id }) => id === chosen)?.propensity).toBe(propensity)
      expect(features).toMatchObject({ bias: 1, 'label:docs': 1, 'mode:build': 1 })
      expect(outcomes).toMatchObject({ gates: { value: 1 }, delivered: { value: 1 }, merged: { value: 1 } })
      expect(outcomes.usd?.value).toBe(chosen === 'agent:scripted' ? 8 : undefined)
    }
    // From the withdrawal on the champion has every issue, and nothing is on trial.
    expect(new Set(rest.map(({ policy, stage }) => `${policy} ${stage}`))).toEqual(new Set([`${champion} canary`]))
    const [shown] = JSON.parse((await terminal.run('policy', 'show', 'router', '--json')).stdout)
    expect(shown.records.map(({ act, alias, by }: Record<string, string>) => [act, alias, by === 'canary'])).toEqual([
      ['promotion', 'champion', false],
      ['promotion', 'challenger', false],
      ['withdrawal', 'challenger', true],
    ])

    // A revert is the last word on an outcome, and a revert of that the next one. The folder of the ticket goes with it.
    const { git } = repository
    await git.run(['revert', '--no-edit', '--mainline', '1', 'HEAD'])
    expect((await why(ISSUES))[0]?.outcomes).toMatchObject({ merged: { value: 1 }, reverted: { value: 1 } })
    await git.run(['revert', '--no-edit', 'HEAD'])
    expect((await why(ISSUES))[0]?.outcomes).toMatchObject({ merged: { value: 1 } })
    expect((await why(ISSUES))[0]?.outcomes.reverted).toBeUndefined()
  }, 1_200_000)
})
