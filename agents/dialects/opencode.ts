import { countOf, type Dialect, idOf, limitIn, objectOf, textOf } from './dialect.ts'

/** What `opencode run --format json` prints: parts of messages, and the end of every step with that step's figures. */
export const opencodeDialect: Dialect = {
  id: 'opencode',
  hasFinalWord: true,
  read(line) {
    const entry = objectOf(line)
    const part = objectOf(entry.part)
    const session = textOf(entry.sessionID)
    switch (entry.type) {
      case 'text':
        return { session, events: [{ type: 'message', text: textOf(part.text) }] }
      case 'reasoning':
        return { events: [{ type: 'thought', text: textOf(part.text) }] }
      case 'tool_use': {
        const state = objectOf(part.state)
        const how = state.status === 'error' ? 'failed' : state.status === 'completed' ? 'done' : 'started'
        return {
          events: [
            {
              type: 'tool',
              ...idOf(part.callID),
              name: textOf(part.tool),
              summary: textOf(state.title).slice(0, 200),
              state: how,
            },
          ],
        }
      }
      case 'step_finish': {
        const tokens = objectOf(part.tokens)
        const cache = objectOf(tokens.cache)
        const usage = {
          tokensIn: countOf(tokens.input) + countOf(cache.read) + countOf(cache.write),
          tokensOut: countOf(tokens.output) + countOf(tokens.reasoning),
          costUsd: countOf(part.cost),
        }
        const said = textOf(part.reason)
        // A step that ends for a tool is followed by another one.
        const final = said === 'tool-calls' ? {} : { final: { ok: said === 'stop', said } }
        return { session, usage: { of: 'step', usage }, ...final }
      }
      case 'error': {
        const error = objectOf(entry.error)
        const said = textOf(objectOf(error.data).message) || textOf(error.message) || textOf(error.name)
        const limit = limitIn(said)
        return { final: { ok: false, said, ...(limit ? { limit } : {}) } }
      }
      default:
        return undefined
    }
  },
}
