import type { RuntimeEvent, Usage } from '../../core/contracts/runtime.ts'
import type { Dialect, FinalWord } from '../dialects/index.ts'

/** Bytes of one line; what is longer is left out and counted. */
const LINE_BYTES = 8 * 1024 * 1024

/** What a whole transcript said. */
export interface Transcript {
  /** The last word on how the turn ended; a word that it failed is not taken back by a later one that it did not. */
  final: FinalWord | undefined
  usage: Usage | undefined
  /** The agent's own name for its session. */
  session: string | undefined
  refused: readonly { tool: string; reason: string }[]
  /** Lines that were no JSON, or too long to be read. */
  unread: number
}

/**
 * Returns a reader of what an agent prints, line by line as it comes. Nothing it prints makes the reader fail: lines that are no
 * JSON, are too long, are no text, or are cut off at the end are counted.
 *
 * @param usage what a line with figures counts, where that is not as the dialect has it
 */
export function readTranscript(
  dialect: Dialect,
  { usage: counts }: { usage: 'step' | 'run' | null },
  onEvent: (event: RuntimeEvent) => void,
) {
  const transcript = {
    final: undefined as FinalWord | undefined,
    usage: undefined as Usage | undefined,
    session: undefined as string | undefined,
    refused: [] as { tool: string; reason: string }[],
    unread: 0,
  }
  let parts: Buffer[] = []
  let bytes = 0
  const line = () => {
    const isTooLong = bytes > LINE_BYTES
    const text = isTooLong ? '' : Buffer.concat(parts).toString('utf8').trim()
    parts = []
    bytes = 0
    if (isTooLong) transcript.unread += 1
    else if (text !== '') readLine(text)
  }
  const readLine = (text: string) => {
    if (!dialect.hasFinalWord) return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      transcript.unread += 1
      return
    }
    const reading = dialect.read(value)
    if (reading === undefined) return
    for (const event of reading.events ?? []) onEvent(event)
    if (reading.usage) {
      transcript.usage =
        (counts ?? reading.usage.of) === 'run' ? reading.usage.usage : sumOf(transcript.usage, reading.usage.usage)
      onEvent({ type: 'usage', usage: reading.usage.usage })
    }
    for (const refusal of reading.refused ?? []) {
      transcript.refused.push(refusal)
      onEvent({ type: 'permission', allowed: false, ...refusal })
    }
    if (reading.session) transcript.session = reading.session
    if (reading.final && (dialect.takesBack || transcript.final?.ok !== false)) transcript.final = reading.final
  }
  return {
    add(chunk: Buffer): void {
      let from = 0
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        take(chunk.subarray(from, end))
        line()
        from = end + 1
      }
      take(chunk.subarray(from))
    },
    end(): Transcript {
      line()
      return transcript
    },
  }

  function take(piece: Buffer): void {
    bytes += piece.length
    if (bytes <= LINE_BYTES) parts.push(piece)
    else parts = []
  }
}

function sumOf(sum: Usage | undefined, more: Usage): Usage {
  return {
    tokensIn: (sum?.tokensIn ?? 0) + more.tokensIn,
    tokensOut: (sum?.tokensOut ?? 0) + more.tokensOut,
    costUsd: (sum?.costUsd ?? 0) + more.costUsd,
  }
}
