import type { RuntimeEvent } from '../../core/contracts/runtime.ts'

/** Knows which tools of an agent are running, so that a long one is not taken for silence. */
export interface Busy {
  see(event: RuntimeEvent): void
  isBusy(): boolean
}

/** Returns a watch over tools. One without an id goes by its name. */
export function watchTools(): Busy {
  const running = new Set<string>()
  return {
    see(event) {
      if (event.type !== 'tool') return
      const id = event.id ?? event.name
      if (event.state === 'started') running.add(id)
      else running.delete(id)
    },
    isBusy: () => running.size > 0,
  }
}
