import { appendFile, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Lines that are appended to a file together, a moment later: a request never waits for the disk. */
export interface LineLog {
  write(value: object): void
  /** Writes what is left and waits until it is on the disk. */
  close(): Promise<void>
}

/** Milliseconds that lines wait for one another. */
const FLUSH_MS = 100

/** Opens a log. @param onFailure told once for each batch that could not be written, with the number of its lines */
export function openLineLog(file: string, onFailure: (cause: unknown, lines: number) => void): LineLog {
  let waiting: string[] = []
  let work: Promise<unknown> = mkdir(dirname(file), { recursive: true }).catch((cause) => onFailure(cause, 0))
  const flush = () => {
    if (waiting.length === 0) return
    const lines = waiting
    waiting = []
    work = work.then(() => appendFile(file, lines.join(''))).catch((cause) => onFailure(cause, lines.length))
  }
  const timer = setInterval(flush, FLUSH_MS)
  timer.unref()
  return {
    write(value) {
      waiting.push(`${JSON.stringify(value)}\n`)
    },
    async close() {
      clearInterval(timer)
      flush()
      await work
      const handle = await open(file, 'a').catch(() => undefined)
      await handle?.sync()
      await handle?.close()
    },
  }
}
