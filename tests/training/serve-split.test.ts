import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSplit } from '../../training/serve/index.ts'
import { emptyFolder } from './runs.ts'

const decision = (id: string, run: string, key?: string) => ({ type: 'decision', decision: id, run, ...(key ? { key } : {}) })
const outcome = (id: string, facts: object) => ({ type: 'outcome', decision: id, ...facts })

async function logOf(lines: readonly object[], torn = ''): Promise<string> {
  const file = join(await emptyFolder(), 'choice.jsonl')
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join('') + torn)
  return file
}

describe('what came of a split', () => {
  it('has the means and the difference that a textbook has', async () => {
    const scores = { a: [1, 2, 3, 4], b: [4, 5, 5, 6, 5] }
    const lines = Object.entries(scores).flatMap(([run, values]) =>
      values.flatMap((score, n) => [decision(`${run}${n}`, run), outcome(`${run}${n}`, { score, usd: 0.5 })]),
    )
    const report = await readSplit(await logOf(lines, '{"type":"outc'), { champion: 'a', challenger: 'b' })
    expect(report).toMatchObject({
      champion: { decisions: 4, keys: 4, score: 2.5, usd: 0.5 },
      challenger: { decisions: 5, keys: 5, score: 5, usd: 0.5 },
    })
    const { estimate, low, high } = report?.difference ?? { estimate: 0, low: 0, high: 0 }
    // Welch by hand: standard error 0.71880 at 4.42178 degrees of freedom, where Student's t has 97.5 % below 2.67505.
    expect(estimate).toBeCloseTo(2.5, 12)
    expect([low, high].map((value) => Number(value.toFixed(5)))).toEqual([0.57718, 4.42282])
  })

  it('counts a key once, the last outcome of a decision, and nothing of other runs', async () => {
    const lines = [
      ...[1, 2, 3].flatMap((n) => [decision(`x${n}`, 'a', 'issue-1'), outcome(`x${n}`, { score: 1 })]),
      decision('y', 'a', 'issue-2'),
      outcome('y', { score: 1 }),
      outcome('y', { score: 0 }),
      decision('z', 'before', 'issue-3'),
      outcome('z', { score: 9 }),
    ]
    expect(await readSplit(await logOf(lines), { champion: 'a' })).toEqual({
      champion: { decisions: 4, keys: 2, score: 0.5, usd: null },
      challenger: undefined,
      difference: undefined,
    })
    expect(await readSplit(await logOf(lines), { champion: 'other' })).toBeUndefined()
    expect(await readSplit('/nowhere/choice.jsonl', { champion: 'a' })).toBeUndefined()
  })
})
