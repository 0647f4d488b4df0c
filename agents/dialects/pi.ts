import type { RuntimeEvent } from '../../core/contracts/runtime.ts'
import { countOf, type Dialect, idOf, limitIn, listOf, objectOf, type Reading, textOf, type Unknown } from './dialect.ts'

/** What `pi --mode json` prints: a session, messages with their figures, tools, and an end with everything that was said. */
export const piDialect: Dialect = {
  id: 'pi',
  hasFinalWord: true,
  takesBack: true,
  read(line) {
    const entry = objectOf(line)
    switch (entry.type) {
      case 'session':
        return { session: textOf(entry.id) }
      case 'message_end':
        return messageOf(objectOf(entry.message))
      case 'tool_execution_start': {
        const given = objectOf(entry.args)
        const summary = textOf(given.command ?? given.path ?? given.pattern).slice(0, 200)
        return { events: [{ type: 'tool', ...idOf(entry.toolCallId), name: textOf(entry.toolName), summary, state: 'started' }] }
      }
      case 'tool_execution_end': {
        const state = entry.isError === true ? 'failed' : 'done'
        return { events: [{ type: 'tool', ...idOf(entry.toolCallId), name: textOf(entry.toolName), summary: '', state }] }
      }
      case 'agent_end':
        return endOf(listOf(entry.messages).findLast(({ role }) => role === 'assistant'))
      default:
        return undefined
    }
  },
}

function messageOf(message: Unknown): Reading {
  if (message.role !== 'assistant') return {}
  const events = listOf(message.content).flatMap((part): RuntimeEvent[] => {
    if (part.type === 'text') return [{ type: 'message', text: textOf(part.text) }]
    return part.type === 'thinking' ? [{ type: 'thought', text: textOf(part.thinking) }] : []
  })
  const usage = objectOf(message.usage)
  const counted = {
    tokensIn: countOf(usage.input) + countOf(usage.cacheRead) + countOf(usage.cacheWrite),
    tokensOut: countOf(usage.output),
    costUsd: countOf(objectOf(usage.cost).total),
  }
  return { events, usage: { of: 'step', usage: counted } }
}

/** It tries again by itself after errors, with an end each time; so that the last end is the one that counts. */
function endOf(message: Unknown | undefined): Reading {
  const reason = textOf(message?.stopReason)
  const said = textOf(message?.errorMessage) || reason || 'it said nothing'
  const ok = reason === 'stop'
  const limit = ok ? undefined : limitIn(said)
  return { final: { ok, said, ...(limit ? { limit } : {}) } }
}
