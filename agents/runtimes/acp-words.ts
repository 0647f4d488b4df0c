import { isAbsolute, relative } from 'node:path'
import type { RequestPermissionRequest, RequestPermissionResponse, SessionUpdate } from '@agentclientprotocol/sdk'
import type { RuntimeEvent, TurnRequest } from '../../core/contracts/runtime.ts'
import { judgeTool, type Tool } from '../policy.ts'

export interface Refusal {
  tool: string
  reason: string
}

/** What an agent's kinds of calls are in our words. A kind that nobody knows is taken for the strongest. */
const TOOL_OF_KIND: Readonly<Record<string, Tool>> = {
  read: 'read',
  search: 'read',
  think: 'read',
  switch_mode: 'read',
  edit: 'write',
  delete: 'write',
  move: 'write',
  execute: 'run-code',
  fetch: 'web-fetch',
}

/**
 * Answers an agent that asks whether it may. The role's tools decide, and the answer is chosen by the kind of an option,
 * never by its label, and for this once where that is offered.
 */
export function answerPermission(
  { toolCall, options }: Pick<RequestPermissionRequest, 'toolCall' | 'options'>,
  { role, mode, tools = ['read', 'write'], signal }: Pick<TurnRequest, 'role' | 'mode' | 'tools' | 'signal'>,
): { outcome: RequestPermissionResponse['outcome']; refusal?: Refusal } {
  if (signal.aborted) return { outcome: { outcome: 'cancelled' } }
  const tool = TOOL_OF_KIND[toolCall.kind ?? 'other'] ?? 'run-code'
  const { allowed, why } = judgeTool({ role, mode, tools }, tool)
  const wanted = allowed ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always']
  const option = wanted.map((kind) => options.find((each) => each.kind === kind)).find((each) => each !== undefined)
  const outcome =
    option === undefined ? { outcome: 'cancelled' as const } : { outcome: 'selected' as const, optionId: option.optionId }
  if (allowed && option !== undefined) return { outcome }
  return { outcome, refusal: { tool, reason: allowed ? 'the agent offered no way to allow it' : why } }
}

/** Returns what an update of a session means; one that says nothing of the work means nothing. */
export function eventsOfUpdate(update: SessionUpdate, cwd: string): RuntimeEvent[] {
  switch (update.sessionUpdate) {
    case 'agent_message_chunk':
      return update.content.type === 'text' ? [{ type: 'message', text: short(update.content.text) }] : []
    case 'agent_thought_chunk':
      return update.content.type === 'text' ? [{ type: 'thought', text: short(update.content.text) }] : []
    case 'plan':
      return [{ type: 'plan', steps: update.entries.map(({ content }) => short(content)) }]
    case 'tool_call':
    case 'tool_call_update': {
      const { kind, title, status, toolCallId } = update
      const state = status === 'completed' ? 'done' : status === 'failed' ? 'failed' : 'started'
      const call = {
        type: 'tool' as const,
        id: toolCallId,
        name: kind ?? 'other',
        summary: short(title ?? '').slice(0, 200),
        state,
      } as const
      const isEdit = state === 'done' && (update.content ?? []).some(({ type }) => type === 'diff')
      if (!isEdit) return [call]
      const paths = (update.content ?? []).flatMap((part) => (part.type === 'diff' ? [part.path] : []))
      return [call, ...paths.map((path): RuntimeEvent => ({ type: 'edit', path: isAbsolute(path) ? relative(cwd, path) : path }))]
    }
    default:
      return []
  }
}

function short(text: string): string {
  return text.slice(0, 2_000).toWellFormed()
}
