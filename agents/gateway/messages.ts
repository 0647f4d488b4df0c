/** One message of a stream: the bytes as they came, and the text in them. */
export interface Message {
  raw: Buffer
  text: string
}

/** Cuts a stream into its messages, wherever the network has cut it. */
export interface Splitter {
  take(chunk: Buffer): Message[]
  /** Returns what is left when the stream is over: a last message without its end. */
  end(): Message[]
}

/** Bytes of one message; what is longer is passed on and not read. */
const LONGEST = 16 * 1024 * 1024

/** Returns the splitter for an answer, by its content type; an answer that is no stream is one message. */
export function splitterFor(contentType: string): Splitter {
  if (contentType.includes('text/event-stream')) return splitAt(endOfEvent, dataOf)
  if (contentType.includes('ndjson')) return splitAt(endOfLine, (raw) => raw.toString('utf8'))
  return splitAt(
    () => -1,
    (raw) => raw.toString('utf8'),
  )
}

function splitAt(endOf: (bytes: Buffer, from: number) => number, textOf: (raw: Buffer) => string): Splitter {
  let rest: Buffer = Buffer.alloc(0)
  /** Where the search goes on, so that a long message is not searched anew with every chunk. */
  let searched = 0
  return {
    take(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const messages: Message[] = []
      for (let end = endOf(rest, searched); end >= 0; end = endOf(rest, 0)) {
        const raw = rest.subarray(0, end)
        messages.push({ raw, text: textOf(raw) })
        rest = rest.subarray(end)
        searched = 0
      }
      searched = Math.max(0, rest.length - 3)
      if (rest.length <= LONGEST) return messages
      messages.push({ raw: rest, text: '' })
      rest = Buffer.alloc(0)
      searched = 0
      return messages
    },
    end() {
      const messages = rest.length === 0 ? [] : [{ raw: rest, text: textOf(rest) }]
      rest = Buffer.alloc(0)
      return messages
    },
  }
}

const LF = 0x0a
const CR = 0x0d

function endOfLine(bytes: Buffer, from: number): number {
  const at = bytes.indexOf(LF, from)
  return at < 0 ? -1 : at + 1
}

/** An event ends with an empty line; lines end with LF or CR LF. */
function endOfEvent(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3
  }
  return -1
}

function dataOf(raw: Buffer): string {
  return raw
    .toString('utf8')
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice(5).replace(/^ /, ''))
    .join('\n')
}
