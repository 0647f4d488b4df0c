import type { RuntimeEvent } from '../../core/contracts/runtime.ts'
import { countOf, type Dialect, idOf, limitIn, listOf, objectOf, textOf, type Unknown } from './dialect.ts'

/** What `codex exec --json` prints: items that start and complete, and a turn that is completed or failed. Usage is the run's. */
export const codexDialect: Dialect = {
  id: 'codex',
  hasFinalWord: true,
  read(line) {
    const entry = objectOf(line)
    switch (entry.type) {
      case 'thread.started':
        return { session: textOf(entry.thread_id) }
      case 'item.started':
      case 'item.completed':
        return { events: eventsOf(objectOf(entry.item), entry.type === 'item.completed') }
      case 'turn.completed': {
        const usage = objectOf(entry.usage)
        const counted = { tokensIn: countOf(usage.input_tokens), tokensOut: countOf(usage.output_tokens), costUsd: 0 }
        return { usage: { of: 'run', usage: counted }, final: { ok: true, said: 'turn completed' } }
      }
      case 'turn.failed':
      case 'error': {
        const said = textOf(objectOf(entry.error).message) || textOf(entry.message)
        // "Reconnecting… 2/5" is an error line of a turn that goes on; `turn.failed` or the missing end decide then.
        if (entry.type === 'error') return { events: [{ type: 'message', text: said }] }
        const limit = limitIn(said)
        return { final: { ok: false, said, ...(limit ? { limit } : {}) } }
      }
      default:
        return undefined
    }
  },
}

function eventsOf(item: Unknown, isDone: boolean): RuntimeEvent[] {
  const failed = item.status === 'failed' || (typeof item.exit_code === 'number' && item.exit_code !== 0)
  const state = !isDone ? 'started' : failed ? 'failed' : 'done'
  switch (item.type) {
    case 'agent_message':
      return isDone ? [{ type: 'message', text: textOf(item.text) }] : []
    case 'reasoning':
      return isDone ? [{ type: 'thought', text: textOf(item.text) }] : []
    case 'todo_list':
      return [{ type: 'plan', steps: listOf(item.items).map((step) => textOf(step.text)) }]
    case 'command_execution':
      return [{ type: 'tool', ...idOf(item.id), name: 'run', summary: textOf(item.command).slice(0, 200), state }]
    case 'file_change':
      return isDone && !failed ? listOf(item.changes).map(({ path }) => ({ type: 'edit', path: textOf(path) })) : []
    case 'mcp_tool_call':
    case 'web_search':
      return [
        { type: 'tool', ...idOf(item.id), name: textOf(item.tool) || 'search', summary: textOf(item.query).slice(0, 200), state },
      ]
    default:
      return []
  }
}
