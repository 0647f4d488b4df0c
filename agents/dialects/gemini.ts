import { countOf, type Dialect, idOf, limitIn, objectOf, textOf } from './dialect.ts'

/** What `gemini --output-format stream-json` prints: messages, tools, and one `result` with the run's figures. */
export const geminiDialect: Dialect = {
  id: 'gemini',
  hasFinalWord: true,
  read(line) {
    const entry = objectOf(line)
    switch (entry.type) {
      case 'init':
        return { session: textOf(entry.session_id) }
      case 'message':
        return entry.role === 'assistant' ? { events: [{ type: 'message', text: textOf(entry.content) }] } : {}
      case 'tool_use': {
        const given = objectOf(entry.parameters)
        const summary = textOf(given.command ?? given.file_path ?? given.path ?? given.pattern).slice(0, 200)
        return { events: [{ type: 'tool', ...idOf(entry.tool_id), name: textOf(entry.tool_name), summary, state: 'started' }] }
      }
      case 'tool_result':
        return {
          events: [
            {
              type: 'tool',
              ...idOf(entry.tool_id),
              name: 'tool',
              summary: '',
              state: entry.status === 'error' ? 'failed' : 'done',
            },
          ],
        }
      case 'error':
        return { events: [{ type: 'message', text: textOf(entry.message) }] }
      case 'result': {
        const stats = objectOf(entry.stats)
        const usage = { tokensIn: countOf(stats.input_tokens), tokensOut: countOf(stats.output_tokens), costUsd: 0 }
        const said = textOf(objectOf(entry.error).message) || textOf(entry.status)
        const ok = entry.status === 'success' && entry.error === undefined
        const limit = ok ? undefined : limitIn(said)
        return { usage: { of: 'run', usage }, final: { ok, said, ...(limit ? { limit } : {}) } }
      }
      default:
        return undefined
    }
  },
}
