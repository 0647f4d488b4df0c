import type { Json } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { randomFrom } from '../random.ts'
import type {
  Action,
  Environment,
  FinishedEpisode,
  Observation,
  Random,
  RemoteEnvironment,
  Transition,
  VectorEnvironment,
  VectorTransition,
} from '../types.ts'
import { noState } from './classic.ts'
import { requireObservation, requireReward, sizeOf } from './space.ts'

/**
 * Returns several environments as one. Every observation and reward that passes is checked.
 *
 * @param open makes one environment; called `count` times
 * @throws VT_ENV_SHAPE when they announce different shapes
 */
export function vectorise(open: (index: number) => Environment, count: number): VectorEnvironment {
  const members = Array.from({ length: count }, (_, index) => open(index))
  const book = openBook(members, count)
  return {
    spec: book.spec,
    count,
    reset(seed) {
      book.begin(seed)
      members.forEach((member, index) => {
        book.first(index, member.reset(book.nextSeed()))
      })
      return book.observations
    },
    step(actions) {
      book.open(actions)
      members.forEach((member, index) => {
        if (book.take(index, member.step(actions[index] as Action))) book.first(index, member.reset(book.nextSeed()))
      })
      return book.close()
    },
    state: () => book.state(members.map((member) => member.state())),
    restore(saved) {
      book.restore(saved).forEach((state, index) => {
        members[index]?.restore(state)
      })
    },
    close: async () => {},
  }
}

/** Like `vectorise`, for environments that answer later; their steps run side by side, their answers are taken in order. */
export function vectoriseRemote(members: readonly RemoteEnvironment[]): VectorEnvironment {
  const book = openBook(members, members.length)
  return {
    spec: book.spec,
    count: members.length,
    async reset(seed) {
      book.begin(seed)
      const firsts = await Promise.all(members.map((member) => member.reset(book.nextSeed())))
      firsts.forEach((observation, index) => {
        book.first(index, observation)
      })
      return book.observations
    },
    async step(actions) {
      book.open(actions)
      const transitions = await Promise.all(members.map((member, index) => member.step(actions[index] as Action)))
      const over = transitions.flatMap((transition, index) => (book.take(index, transition) ? [index] : []))
      const firsts = await Promise.all(over.map((index) => (members[index] as RemoteEnvironment).reset(book.nextSeed())))
      over.forEach((index, n) => {
        book.first(index, firsts[n] as Observation)
      })
      return book.close()
    },
    state: () => book.state(members.map((member) => member.state())),
    async restore(saved) {
      const states = book.restore(saved)
      await Promise.all(members.map((member, index) => member.restore(states[index] ?? null)))
    },
    async close() {
      await Promise.all(members.map((member) => member.close()))
    },
  }
}

/** What both kinds keep: the arrays handed out, the returns of running episodes, and the stream of seeds. */
function openBook(members: readonly (Environment | RemoteEnvironment)[], count: number) {
  const spec = members[0]?.spec
  if (spec === undefined || !Number.isInteger(count) || count < 1) {
    throw new ValuetrainError('VT_ENV_COUNT', `${count} environments cannot be stepped`, {
      kind: 'config',
      hint: 'Use one or more.',
    })
  }
  const size = sizeOf(spec.observation)
  for (const { spec: other } of members) {
    if (sizeOf(other.observation) !== size || JSON.stringify(other.action) !== JSON.stringify(spec.action)) {
      throw new ValuetrainError('VT_ENV_SHAPE', `${other.id} and ${spec.id} do not have the same spaces`, { kind: 'config' })
    }
  }
  let random: Random = randomFrom(0)
  const observations = new Float32Array(count * size)
  const finalObservations = new Float32Array(count * size)
  const rewards = new Float64Array(count)
  const terminated = new Uint8Array(count)
  const truncated = new Uint8Array(count)
  const returns = new Float64Array(count)
  const lengths = new Float64Array(count)
  let finished: FinishedEpisode[] = []
  return {
    spec,
    observations,
    nextSeed: () => random.uint32(),
    begin(seed: number) {
      random = randomFrom(seed).split('episodes')
      returns.fill(0)
      lengths.fill(0)
    },
    first(index: number, observation: Observation) {
      requireObservation(spec, observation)
      observations.set(observation, index * size)
    },
    open(actions: readonly Action[]) {
      if (actions.length !== count) {
        throw new ValuetrainError('VT_ENV_ACTION', `${actions.length} actions for ${count} environments`, { kind: 'internal' })
      }
      finished = []
    },
    /** Takes one answer in; returns whether its episode is over. */
    take(index: number, transition: Transition): boolean {
      requireObservation(spec, transition.observation)
      requireReward(spec, transition.reward)
      observations.set(transition.observation, index * size)
      finalObservations.set(transition.observation, index * size)
      rewards[index] = transition.reward
      terminated[index] = transition.terminated ? 1 : 0
      truncated[index] = transition.truncated ? 1 : 0
      returns[index] = (returns[index] as number) + transition.reward
      lengths[index] = (lengths[index] as number) + 1
      if (!transition.terminated && !transition.truncated) return false
      finished.push({ index, return: returns[index] as number, length: lengths[index] as number })
      returns[index] = 0
      lengths[index] = 0
      return true
    },
    close: (): VectorTransition => ({ observations, rewards, terminated, truncated, finalObservations, finished }),
    state: (environments: Json[]): Json => ({
      environments,
      random: [...random.state()],
      returns: [...returns],
      lengths: [...lengths],
      observations: [...observations].map((n) => (Object.is(n, -0) ? '-0' : n)),
    }),
    restore(saved: Json): Json[] {
      const state = (saved ?? {}) as Record<string, unknown>
      const { environments, random: words, returns: sums, lengths: steps, observations: seen } = state
      const listOf = (value: unknown, length: number): value is (number | string)[] =>
        Array.isArray(value) && value.length === length
      if (
        !listOf(environments, count) ||
        !listOf(words, 8) ||
        !listOf(sums, count) ||
        !listOf(steps, count) ||
        !listOf(seen, count * size)
      ) {
        throw noState(spec.id, `it is not of ${count} environments`)
      }
      random.restore(Uint32Array.from(words, Number))
      returns.set(sums.map(Number))
      lengths.set(steps.map(Number))
      observations.set(seen.map(Number))
      return environments as unknown as Json[]
    },
  }
}
