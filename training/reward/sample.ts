/** `reward test`: a reward specification held against episodes whose order a person knows. */
import * as z from 'zod'
import { ValuetrainError } from '../../core/errors.ts'
import { type Reward, type RewardFunctions, rewardOf } from './reward.ts'
import { DEFAULT_REWARD, parseRewardSpec, type RewardSpec } from './spec.ts'

const Episode = z.strictObject({
  id: z.string().min(1),
  measures: z.record(z.string(), z.number()),
  /** The scalar it has to get, where that was worked out by hand. */
  expect: z.number().optional(),
  /** Ids of episodes that it has to outrank. */
  above: z.array(z.string()).default([]),
})

const Samples = z.strictObject({ reward: z.unknown().optional(), episodes: z.array(Episode).min(1) })

export interface RewardSamples {
  spec: RewardSpec
  episodes: readonly z.infer<typeof Episode>[]
}

export interface RewardTest {
  /** Best first. */
  rows: readonly { id: string; reward: Reward }[]
  /** One sentence each; empty when the reward does what is expected of it. */
  problems: readonly string[]
}

/**
 * Returns a sample file's content, checked: `reward` (the default where absent) and `episodes`.
 *
 * @param value the parsed YAML or JSON
 * @throws VT_REWARD_SAMPLES, VT_REWARD_SPEC
 */
export function parseRewardSamples(value: unknown, file: string): RewardSamples {
  const parsed = Samples.safeParse(value)
  if (!parsed.success) {
    const places = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'file'}: ${issue.message}`)
    throw new ValuetrainError('VT_REWARD_SAMPLES', `${file}: ${places.join('; ')}`, {
      kind: 'config',
      hint: 'A sample file has `reward` and `episodes`; an episode has id, measures, and optionally expect and above.',
    })
  }
  const { reward, episodes } = parsed.data
  const ids = episodes.map(({ id }) => id)
  const wrong = [
    ...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `episode ${id} is there twice`),
    ...episodes.flatMap(({ id, above }) =>
      above.filter((other) => !ids.includes(other)).map((other) => `${id} is above ${other}, which is no episode`),
    ),
  ]
  if (wrong.length > 0) throw new ValuetrainError('VT_REWARD_SAMPLES', `${file}: ${wrong.join('; ')}`, { kind: 'config' })
  return { spec: reward === undefined ? DEFAULT_REWARD : parseRewardSpec(reward), episodes }
}

/**
 * Returns the episodes' rewards, best first, and what is wrong with them: an expected number or order that is missed,
 * a wrong answer above a right one, all rewards alike.
 */
export function testReward({ spec, episodes }: RewardSamples, functions?: RewardFunctions): RewardTest {
  const rows = episodes.map((episode) => ({ episode, reward: rewardOf(spec, episode, functions) }))
  const scalarOf = new Map(rows.map(({ episode, reward }) => [episode.id, reward.scalar]))
  const problems: string[] = []
  for (const { episode, reward } of rows) {
    if (episode.expect !== undefined && Math.abs(reward.scalar - episode.expect) > 1e-9) {
      problems.push(`${episode.id} gets ${show(reward.scalar)}, expected ${episode.expect}`)
    }
    for (const other of episode.above) {
      const below = scalarOf.get(other) ?? Number.NaN
      if (!(reward.scalar > below))
        problems.push(`${episode.id} gets ${show(reward.scalar)}, which is not above ${other} with ${show(below)}`)
    }
  }
  const bestWrong = best(rows.filter(({ reward }) => !reward.right))
  const worstRight = best(
    rows.filter(({ reward }) => reward.right).map((row) => ({ ...row, reward: { ...row.reward, scalar: -row.reward.scalar } })),
  )
  if (bestWrong !== undefined && worstRight !== undefined && bestWrong.reward.scalar >= -worstRight.reward.scalar) {
    problems.push(
      `${bestWrong.episode.id} is wrong and outranks or equals ${worstRight.episode.id}, which is right; combine: lexicographic prevents this`,
    )
  }
  if (rows.length > 1 && rows.every(({ reward }) => reward.scalar === rows[0]?.reward.scalar)) {
    problems.push(
      `all ${rows.length} episodes get ${show(rows[0]?.reward.scalar ?? 0)}: nothing can be learned from rewards that are alike`,
    )
  }
  const sorted = [...rows].sort((a, b) => b.reward.scalar - a.reward.scalar)
  return { rows: sorted.map(({ episode, reward }) => ({ id: episode.id, reward })), problems }
}

function best<T extends { reward: Reward }>(rows: readonly T[]): T | undefined {
  return rows.reduce<T | undefined>(
    (top, row) => (top === undefined || row.reward.scalar > top.reward.scalar ? row : top),
    undefined,
  )
}

function show(value: number): string {
  return String(Number(value.toPrecision(6)))
}
