import type { RuntimeEvent, TurnResult } from '../core/contracts/runtime.ts'
import { openRedactor, type Redactor } from '../core/redact-stream.ts'
import { redactDeep } from '../core/secrets.ts'

/** Hides secrets in what a turn tells, before anybody sees it or writes it down. */
export interface Veil {
  event(event: RuntimeEvent): void
  /** Passes on what was held back of the output, and returns the result without secrets. */
  end(result: TurnResult): TurnResult
}

/** Returns the veil of one turn. Output is looked at as one text a stream, wherever it was cut; other events each by itself. */
export function openVeil(onEvent: (event: RuntimeEvent) => void): Veil {
  const streams = new Map<'stdout' | 'stderr', Redactor>()
  const say = (stream: 'stdout' | 'stderr', text: string) => {
    if (text !== '') onEvent({ type: 'output', stream, text })
  }
  return {
    event(event) {
      if (event.type !== 'output') return onEvent(redactDeep(event).value)
      const redactor = streams.get(event.stream) ?? openRedactor()
      streams.set(event.stream, redactor)
      say(event.stream, redactor.push(event.text))
    },
    end(result) {
      for (const [stream, redactor] of streams) say(stream, redactor.end())
      // The name of an agent's own session is random by nature, and is what it is taken up by.
      const { session } = result
      return { ...redactDeep(result).value, ...(session === undefined ? {} : { session }) }
    },
  }
}
