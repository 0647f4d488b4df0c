import type { RuntimeEvent } from '../../core/contracts/runtime.ts'
import { countOf, type Dialect, idOf, limitIn, listOf, objectOf, type Reading, textOf, type Unknown } from './dialect.ts'

/**
 * What `claude -p --output-format stream-json --verbose` prints: messages as of its API, then one `result` line with the
 * run's usage. A result can say success although its text is the error of the API, so both are looked at.
 */
export const claudeDialect: Dialect = {
  id: 'claude',
  hasFinalWord: true,
  read(line) {
    const entry = objectOf(line)
    if (entry.type === 'assistant') return { events: listOf(objectOf(entry.message).content).flatMap(eventsOf) }
    if (entry.type === 'user') {
      const results = listOf(objectOf(entry.message).content).filter((part) => part.type === 'tool_result')
      return {
        events: results.map((part) => ({
          type: 'tool',
          ...idOf(part.tool_use_id),
          name: 'tool',
          summary: '',
          state: part.is_error === true ? 'failed' : 'done',
        })),
      }
    }
    if (entry.type === 'system') return { session: textOf(entry.session_id) }
    return entry.type === 'result' ? resultOf(entry) : undefined
  },
}

function eventsOf(part: Unknown): RuntimeEvent[] {
  if (part.type === 'text') return [{ type: 'message', text: textOf(part.text) }]
  if (part.type === 'thinking') return [{ type: 'thought', text: textOf(part.thinking) }]
  if (part.type !== 'tool_use') return []
  const input = objectOf(part.input)
  const summary = textOf(input.command ?? input.file_path ?? input.path ?? input.pattern ?? input.description).slice(0, 200)
  return [{ type: 'tool', ...idOf(part.id), name: textOf(part.name), summary, state: 'started' }]
}

function resultOf(entry: Unknown): Reading {
  const said = textOf(entry.result) || textOf(entry.subtype)
  const usage = objectOf(entry.usage)
  const tokensIn =
    countOf(usage.input_tokens) + countOf(usage.cache_creation_input_tokens) + countOf(usage.cache_read_input_tokens)
  const limit = limitIn(said)
  const ok = entry.subtype === 'success' && entry.is_error !== true && !/^API Error/i.test(said)
  return {
    usage: { of: 'run', usage: { tokensIn, tokensOut: countOf(usage.output_tokens), costUsd: countOf(entry.total_cost_usd) } },
    final: { ok, said, ...(limit && !ok ? { limit } : {}) },
    refused: listOf(entry.permission_denials).map((denial) => ({
      tool: textOf(denial.tool_name),
      reason: 'the agent runs without the permission for it',
    })),
  }
}
