import { randomFrom } from '../../training/random.ts'
import type { Environment, Random } from '../../training/types.ts'

/**
 * A problem that is learned in seconds: two numbers are shown, and the right one of three actions depends on both.
 * Ten answers an episode, 1 for a right one; a random policy gets 3.3.
 */
export function quiz(): Environment {
  let random = randomFrom(0)
  let shown = new Float32Array(2)
  let asked = 0
  const ask = () => {
    shown = Float32Array.of(2 * random.uniform() - 1, 2 * random.uniform() - 1)
    return shown
  }
  const right = () => ((shown[0] as number) * (shown[1] as number) > 0 ? 0 : (shown[0] as number) > 0 ? 1 : 2)
  return {
    spec: {
      id: 'Quiz-v1',
      observation: { kind: 'box', shape: [2], low: [-1, -1], high: [1, 1] },
      action: { kind: 'discrete', n: 3 },
      maxSteps: 10,
    },
    reset(seed) {
      random = randomFrom(seed)
      asked = 0
      return ask()
    },
    step(action) {
      const reward = action === right() ? 1 : 0
      asked++
      return { observation: ask(), reward, terminated: asked === 10, truncated: false }
    },
    state: () => ({ random: [...random.state()], shown: [...shown], asked }),
    restore(saved) {
      const state = saved as { random: number[]; shown: number[]; asked: number }
      random.restore(Uint32Array.from(state.random))
      shown = Float32Array.from(state.shown)
      asked = state.asked
    },
  }
}

/** The same problem, but every reward is one that was earned at some other time: nothing to learn from. */
export function shuffledRewards(open: () => Environment): () => Environment {
  const earned: number[] = []
  const random: Random = randomFrom('shuffle')
  return () => {
    const inner = open()
    return {
      ...inner,
      step(action) {
        const answer = inner.step(action)
        earned.push(answer.reward)
        return { ...answer, reward: earned[random.below(earned.length)] as number }
      },
    }
  }
}

/** The same problem, but what an action does is drawn anew at every step: the labels say nothing. */
export function permutedActions(open: () => Environment): () => Environment {
  const random: Random = randomFrom('permute')
  return () => {
    const inner = open()
    return {
      ...inner,
      step(action) {
        const labels = [0, 1, 2]
        random.shuffle(labels)
        return inner.step(labels[action as number] as number)
      },
    }
  }
}
