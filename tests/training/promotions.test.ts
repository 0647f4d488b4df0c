import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countingIds } from '../../core/ids.ts'
import {
  currentRecords,
  foldAlias,
  type Promotion,
  parsePromotion,
  promote,
  promotionFile,
  renderPromotion,
  rollback,
  stagesOf,
  withdraw,
} from '../../training/policy/index.ts'

const digest = (n: number) => String(n).padStart(64, '0')
const run = (n: number) => String(n).padStart(12, '0')

function history(): { records: Promotion[]; promote(n: number): void; back(): void } {
  const ids = countingIds()
  const records: Promotion[] = []
  return {
    records,
    promote(n) {
      const wanted = { policy: 'router', alias: 'champion' as const, run: run(n), version: digest(n), verdict: 'pass' as const }
      records.push(promote(records, { id: ids.ulid(), ...wanted, by: 'Ada', reason: undefined }))
    },
    back() {
      records.push(rollback(records, 'router', { id: ids.ulid(), alias: 'champion', reason: 'too slow' }))
    },
  }
}

const state = (records: readonly Promotion[]) => {
  const { current, previous } = foldAlias(records, 'router', 'champion')
  return [current?.run, previous?.run]
}

describe('an alias', () => {
  it('is the one record that no other replaces, and a rollback is one more record', () => {
    const { records, promote: put, back } = history()
    expect(state(records)).toEqual([undefined, undefined])
    put(1)
    expect(state(records)).toEqual([run(1), undefined])
    expect(() => back()).toThrow('is the first champion of router; there is nothing to go back to')
    put(2)
    put(3)
    expect(state(records)).toEqual([run(3), run(2)])
    back()
    expect(state(records)).toEqual([run(2), run(1)])
    back()
    expect(state(records)).toEqual([run(1), undefined])
    put(4)
    expect(state(records)).toEqual([run(4), run(1)])
    expect(records).toHaveLength(6)
  })

  it('says what any order of its files says', () => {
    fc.assert(
      fc.property(
        // A run that was replaced does not go straight back.
        fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(fc.nat()),
        (runs, order) => {
          const { records, promote: put } = history()
          for (const n of runs) put(n)
          const shuffled = records.map((record) => ({ record, at: order.next().value as number })).toSorted((a, b) => a.at - b.at)
          expect(state(shuffled.map(({ record }) => record))).toEqual(state(records))
          expect(state(records)[0]).toBe(run(runs.at(-1) as number))
        },
      ),
    )
  })

  it('is refused while two records claim it, naming both and the command that settles it', () => {
    const { records, promote: put } = history()
    put(1)
    const [first] = records
    const other = (id: string, n: number): Promotion => ({
      ...(first as Promotion),
      id,
      run: run(n),
      version: digest(n),
      supersedes: [(first as Promotion).id],
    })
    const [left, right] = [other('01J00000000000000000000009', 2), other('01J0000000000000000000000A', 3)]
    const all = [...records, left, right]
    expect(() => foldAlias(all, 'router', 'champion')).toThrow(
      expect.objectContaining({
        code: 'VT_POLICY_TWO_RECORDS',
        message: `two records say what the champion of router is: ${left.id} (run ${run(2)}) and ${right.id} (run ${run(3)})`,
        hint: `settle it with \`valuetrain policy promote ${run(3)} --as champion --settle\`, or with the other run`,
      }),
    )
    const wanted = {
      id: '01J0000000000000000000000B',
      policy: 'router',
      alias: 'champion' as const,
      run: run(3),
      version: digest(3),
      verdict: 'pass' as const,
      by: undefined,
      reason: undefined,
    }
    expect(() => promote(all, wanted)).toThrow('two records')
    const settled = promote(all, wanted, { settle: true })
    expect(settled.supersedes).toEqual([left.id, right.id])
    expect(state([...all, settled])[0]).toBe(run(3))
    expect(currentRecords([...all, settled])).toEqual([settled])
  })

  it('is not given again to what it stands for, and no champion challenges itself', () => {
    const { records, promote: put } = history()
    put(1)
    expect(() => put(1)).toThrow(
      expect.objectContaining({ code: 'VT_PROMOTION_TWICE', message: `run ${run(1)} is champion of router already` }),
    )
    const wanted = { policy: 'router', verdict: 'pass' as const, by: undefined, reason: undefined }
    const as = (alias: 'champion' | 'challenger', n: number, id: string) =>
      promote(records, { ...wanted, id, alias, run: run(n), version: digest(n) })
    expect(() => as('challenger', 1, '01J00000000000000000000009')).toThrow('is champion of router already')
    records.push(as('challenger', 2, '01J00000000000000000000009'))
    // One that won becomes champion.
    expect(as('champion', 2, '01J0000000000000000000000A').supersedes).toEqual([records[0]?.id])
  })

  it('is refused when a record replaces one that is gone', () => {
    const { records, promote: put } = history()
    put(1)
    put(2)
    expect(() => foldAlias(records.slice(1), 'router', 'champion')).toThrow(/replaces \w+, which is not there/)
  })

  it('is told apart from the other alias and from other policies', () => {
    const { records, promote: put } = history()
    put(1)
    const other: Promotion = { ...(records[0] as Promotion), id: '01J0000000000000000000000C', alias: 'challenger', run: run(7) }
    expect(state([...records, other])[0]).toBe(run(1))
    expect(foldAlias([...records, other], 'router', 'challenger').current?.run).toBe(run(7))
    expect(foldAlias(records, 'cascade', 'champion').current).toBeUndefined()
  })
})

describe('the stage of a run', () => {
  const wanted = { policy: 'router', verdict: 'pass' as const, by: undefined, reason: undefined }
  const id = (n: number) => `01J0000000000000000000000${n}`
  const put = (records: Promotion[], n: number, alias: 'champion' | 'challenger', at: number, from = n) =>
    records.push(promote(records, { ...wanted, id: id(at), alias, run: run(n), version: digest(from) }))
  const stages = (records: readonly Promotion[]) =>
    Object.fromEntries(stagesOf(records, 'router').map((each) => [each.run, each.stage]))

  it('is staging for the challenger, production for the champion, and archived for what was either', () => {
    const records: Promotion[] = []
    expect(stagesOf(records, 'router')).toEqual([])
    put(records, 1, 'champion', 1)
    put(records, 2, 'challenger', 2)
    expect(stages(records)).toEqual({ [run(1)]: 'production', [run(2)]: 'staging' })
    put(records, 2, 'champion', 3)
    put(records, 3, 'challenger', 4)
    expect(stages(records)).toEqual({ [run(1)]: 'archived', [run(2)]: 'production', [run(3)]: 'staging' })
    records.push(withdraw(records, 'router', { id: id(5), alias: 'challenger', by: 'canary' }))
    records.push(rollback(records, 'router', { id: id(6), alias: 'champion' }))
    expect(stages(records)).toEqual({ [run(1)]: 'production', [run(2)]: 'archived', [run(3)]: 'archived' })
    expect(stagesOf(records, 'router')[0]).toEqual({ run: run(1), version: digest(1), stage: 'production', record: id(6) })
    expect(stagesOf(records, 'cascade')).toEqual([])
  })

  it('is not jumped: an archived run is not champion again but by rollback, through staging, or as a run judged anew', () => {
    const records: Promotion[] = []
    put(records, 1, 'champion', 1)
    put(records, 2, 'champion', 2)
    const refused = expect.objectContaining({
      code: 'VT_PROMOTION_STAGE',
      kind: 'gate',
      message: `run ${run(1)} of router is archived, and from there no run goes straight to production`,
      hint: expect.stringContaining(`valuetrain policy promote ${run(1)} --as challenger`),
    })
    expect(() => put(records, 1, 'champion', 3)).toThrow(refused)
    // Settling two records is no way around it.
    const other = { ...(records[1] as Promotion), id: id(8), run: run(5), version: digest(5) }
    const again = { ...wanted, id: id(9), alias: 'champion' as const, run: run(1), version: digest(1) }
    expect(() => promote([...records, other], again, { settle: true })).toThrow(refused)
    expect(records).toHaveLength(2)
    // The same numbers from a run that was judged against the champion of now are another matter.
    const fresh = [...records]
    put(fresh, 4, 'champion', 3, 1)
    expect(stages(fresh)).toEqual({ [run(1)]: 'archived', [run(2)]: 'archived', [run(4)]: 'production' })
    expect(promote(records, { ...again, id: id(3) }, { isFresh: true }).supersedes).toEqual([id(2)])
    put(records, 1, 'challenger', 3)
    expect(stages(records)[run(1)]).toBe('staging')
    put(records, 1, 'champion', 4)
    expect(stages(records)).toEqual({ [run(1)]: 'production', [run(2)]: 'archived' })
  })

  it('is none for a run that was not judged "pass"', () => {
    for (const verdict of ['fail', 'inconclusive', 'not-applicable', 'waived'] as const) {
      const rejected = { ...wanted, verdict, id: id(1), alias: 'challenger' as const, run: run(1), version: digest(1) }
      expect(() => promote([], rejected)).toThrow(expect.objectContaining({ code: 'VT_PROMOTION_REFUSED', kind: 'gate' }))
    }
  })
})

describe('a record', () => {
  it('is read back as it was written', () => {
    const { records, promote: put, back } = history()
    put(1)
    put(2)
    back()
    for (const record of records) expect(parsePromotion(renderPromotion(record), promotionFile(record))).toEqual(record)
  })

  it('is refused with an unknown key, or in the folder of another policy', () => {
    const { records, promote: put } = history()
    put(1)
    const record = records[0] as Promotion
    const text = renderPromotion(record)
    expect(() => parsePromotion(text.replace('alias:', 'alais:'), promotionFile(record))).toThrow('did you mean "alias"')
    expect(() => parsePromotion(text, promotionFile({ ...record, policy: 'cascade' }))).toThrow('does not lie where those lie')
  })
})
