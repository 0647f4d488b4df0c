import type { RuntimeEvent } from '../../core/contracts/runtime.ts'
import { claudeDialect } from './claude.ts'
import { codexDialect } from './codex.ts'
import { countOf, type Dialect, idOf, limitIn, listOf, objectOf, textOf } from './dialect.ts'
import { geminiDialect } from './gemini.ts'
import { opencodeDialect } from './opencode.ts'
import { piDialect } from './pi.ts'

export type { Dialect, FinalWord } from './dialect.ts'

/** No JSON at all: what is printed is for people, exit code and diff decide. */
const textDialect: Dialect = { id: 'text', hasFinalWord: false, read: () => undefined }

/** Our own: events of the runtime interface by the line, and last `{"type":"ended","ok":true,"said":"…"}`. */
const eventsDialect: Dialect = {
  id: 'events',
  hasFinalWord: true,
  read(line) {
    const entry = objectOf(line)
    const text = textOf(entry.text)
    switch (entry.type) {
      case 'message':
      case 'thought':
        return { events: [{ type: entry.type, text }] }
      case 'plan':
        return { events: [{ type: 'plan', steps: Array.isArray(entry.steps) ? entry.steps.map(textOf) : [] }] }
      case 'edit':
        return { events: [{ type: 'edit', path: textOf(entry.path) }] }
      case 'tool':
        return { events: [toolOf(entry)] }
      case 'usage': {
        const usage = { tokensIn: countOf(entry.tokensIn), tokensOut: countOf(entry.tokensOut), costUsd: countOf(entry.costUsd) }
        return { usage: { of: 'step', usage } }
      }
      case 'session':
        return { session: textOf(entry.id) }
      case 'ended': {
        const said = textOf(entry.said)
        const limit = entry.ok === true ? undefined : limitIn(said)
        const refused = listOf(entry.refused).map(({ tool, reason }) => ({ tool: textOf(tool), reason: textOf(reason) }))
        return { final: { ok: entry.ok === true, said, ...(limit ? { limit } : {}) }, refused }
      }
      default:
        return undefined
    }
  },
}

function toolOf(entry: Record<string, unknown>): RuntimeEvent {
  const state = entry.state === 'failed' || entry.state === 'done' ? entry.state : 'started'
  return { type: 'tool', ...idOf(entry.id), name: textOf(entry.name), summary: textOf(entry.summary).slice(0, 200), state }
}

/** Every dialect by id. */
export const DIALECTS: Readonly<Record<'text' | 'events' | 'claude' | 'codex' | 'gemini' | 'opencode' | 'pi', Dialect>> = {
  text: textDialect,
  events: eventsDialect,
  claude: claudeDialect,
  codex: codexDialect,
  gemini: geminiDialect,
  opencode: opencodeDialect,
  pi: piDialect,
}
