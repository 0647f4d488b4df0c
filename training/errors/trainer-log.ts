/** What a trainer or a provider of machines said last, read for the faults that repeat. */
import type { Anomaly } from './watch.ts'

/** How a trainer's program ended, where that is known. */
export interface Ending {
  exit: number | null
  signal: string | null
}

/** First match wins; a line that says memory of a card says it more exactly than one that says memory. */
const LINES: readonly [code: string, pattern: RegExp][] = [
  [
    'T202',
    /(CUDA|HIP|ROCm)( error)?:? out of memory|torch\.(cuda\.)?OutOfMemoryError|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED|no available memory for the cache blocks|# (GPU|CUDA) blocks: 0\b|KV cache (size )?(is |of )?0\b|larger than the maximum number of tokens that can be stored in KV cache/i,
  ],
  ['T201', /JavaScript heap out of memory|Cannot allocate memory|\bMemoryError\b|std::bad_alloc|\bENOMEM\b|oom-kill/i],
  [
    'T401',
    /\b(401|403)\b.*(unauthori[sz]ed|forbidden|api key|token is|bad credentials)|invalid (api )?(key|token)|authentication failed/i,
  ],
  ['T403', /quota.{0,40}exceeded|exceed(s|ed).{0,40}quota|limit of .{0,40}instances|account limit/i],
  ['T402', /insufficient[- ]capacity|no (gpu |instance )?capacity|out of stock|no (longer any )?instances available/i],
  [
    'T404',
    /(instance|pod|lease) .{0,60}(not found|no longer exists|was terminated|preempted)|spot (instance )?(interruption|preemption)/i,
  ],
]

/** What a trainer is doing when it collects results from all cards, which is when a card's memory runs out unheard. */
const GATHERING = /\b(all[_ -]?)?gather/i
/** Lines at the end that count as the last words. */
const LAST = 20

/** Returns what a log tells, each code once with the line it was seen at; and what a silent end means after its last words. */
export function readTrainerLog(text: string, ending?: Ending): Anomaly[] {
  const lines = text.split(/\r?\n/)
  const found = new Map<string, Anomaly>()
  lines.forEach((line, index) => {
    const code = LINES.find(([, pattern]) => pattern.test(line))?.[0]
    if (code !== undefined && !found.has(code))
      found.set(code, { code, evidence: `line ${index + 1}: ${line.trim().slice(0, 200)}` })
  })
  const killed = ending !== undefined && (ending.signal === 'SIGKILL' || ending.exit === 137)
  if (killed && !found.has('T201') && !found.has('T202')) {
    const words = lines.filter((line) => line.trim() !== '').slice(-LAST)
    const gathering = words.some((line) => GATHERING.test(line))
    const where = gathering
      ? 'after it had begun to gather from the cards'
      : `after "${(words.at(-1) ?? '').trim().slice(0, 100)}"`
    found.set('killed', { code: gathering ? 'T202' : 'T201', evidence: `it was killed by signal 9 without a word, ${where}` })
  }
  return [...found.values()]
}

/** Returns the code of a provider's refusal, by status and text; undefined for one that says nothing we know. */
export function providerFault(status: number, text: string): string | undefined {
  const said = readTrainerLog(text).map(({ code }) => code)
  if (status === 401 || status === 403) return said.includes('T403') ? 'T403' : 'T401'
  const known = said.find((code) => /^T40[1-4]$/.test(code))
  if (known !== undefined) return known
  if (status === 404 || status === 410) return 'T404'
  return status === 429 && /quota/i.test(text) ? 'T403' : undefined
}
