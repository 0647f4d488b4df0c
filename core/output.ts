import { createHash } from 'node:crypto'
import { StringDecoder } from 'node:string_decoder'

/** What is known about everything a process printed. */
export interface Output {
  /** SHA-256 of all bytes, in the order they arrived. */
  outputDigest: string
  outputTail: string
  outputBytes: number
  truncated: boolean
}

/**
 * Returns a collector that digests all output, keeps the last `limit` bytes and passes on the first `limit`, so that a
 * flood costs neither memory nor log.
 */
export function collectOutput(limit: number, onOutput?: (stream: 'stdout' | 'stderr', text: string) => void) {
  const hash = createHash('sha256')
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  let kept: Buffer[] = []
  let keptBytes = 0
  let bytes = 0
  return {
    add(stream: 'stdout' | 'stderr', chunk: Buffer): void {
      hash.update(chunk)
      const room = limit - bytes
      bytes += chunk.length
      kept.push(chunk)
      keptBytes += chunk.length
      if (keptBytes > 2 * limit + 65_536) {
        kept = [Buffer.concat(kept).subarray(-limit)]
        keptBytes = kept[0]?.length ?? 0
      }
      if (room > 0) onOutput?.(stream, decoders[stream].write(chunk.subarray(0, room)))
    },
    end(): Output {
      const tail = Buffer.concat(kept).subarray(-limit)
      return { outputDigest: hash.digest('hex'), outputTail: wholeText(tail), outputBytes: bytes, truncated: bytes > tail.length }
    },
  }
}

/** A cut may have gone through a character; its rest is dropped. */
function wholeText(bytes: Buffer): string {
  let from = 0
  while (from < 4 && from < bytes.length && ((bytes[from] as number) & 0xc0) === 0x80) from++
  return bytes.subarray(from).toString('utf8')
}
