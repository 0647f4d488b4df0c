/**
 * Returns a memory of what follows from its key alone and so never changes, such as what a commit says. It holds the last `most`
 * answers; whoever asks for the same thing meanwhile waits for the same answer, and a failure is not remembered.
 */
export function openMemory<T>(most: number): (key: string, find: () => Promise<T>) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (key, find) => {
    const answer = known.get(key) ?? find()
    known.delete(key)
    known.set(key, answer)
    for (const oldest of known.keys()) {
      if (known.size <= most) break
      known.delete(oldest)
    }
    answer.catch(() => {
      if (known.get(key) === answer) known.delete(key)
    })
    return answer
  }
}
