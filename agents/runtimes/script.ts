import * as z from 'zod'
import { checkShape } from '../../core/config.ts'
import { Argv } from '../../core/contracts/gate.ts'
import type { FileReader } from '../../core/contracts/method.ts'
import { IssueNumber, Mode, Slug } from '../../core/contracts/names.ts'
import { parseMapping } from '../../core/frontmatter.ts'

/** Where the committed base keeps the script of the `scripted` runtime. */
export const SCRIPT_FILE = '.valuetrain/scripted.yaml'

const usage = { tokensIn: z.number().min(0), tokensOut: z.number().min(0), costUsd: z.number().min(0) }

/** One thing the scripted runtime does. In `path`, `content` and texts, {ticket} {issue} {phase} {attempt} {artifacts} are filled in. */
export const Step = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('write'), path: z.string(), content: z.string() }),
  z.strictObject({ do: z.literal('append'), path: z.string(), content: z.string() }),
  z.strictObject({ do: z.literal('remove'), path: z.string() }),
  z.strictObject({ do: z.literal('run'), argv: Argv, okExit: z.array(z.int()).default([0]) }),
  z.strictObject({ do: z.literal('message'), text: z.string() }),
  z.strictObject({ do: z.literal('thought'), text: z.string() }),
  z.strictObject({ do: z.literal('plan'), steps: z.array(z.string()) }),
  /** Asks for a tool and goes on either way, as an agent that was refused would. */
  z.strictObject({ do: z.literal('tool'), name: z.string(), summary: z.string().default('') }),
  z.strictObject({ do: z.literal('usage'), ...usage }),
  /** Starts a process that does nothing, until a limit or the operator ends it. */
  z.strictObject({ do: z.literal('hang') }),
  /** Starts a process that ends by a signal. */
  z.strictObject({ do: z.literal('crash'), signal: z.string().default('SIGSEGV') }),
  /** Throws, as a faulty runtime would. */
  z.strictObject({ do: z.literal('throw'), message: z.string() }),
  z.strictObject({
    do: z.literal('end'),
    outcome: z.enum(['completed', 'failed', 'timed-out', 'cancelled', 'limited', 'handed-off']),
    reason: z.string(),
    until: z.string().optional(),
    decisions: z.array(z.string()).optional(),
    handOff: z.string().optional(),
  }),
])
export type Step = z.infer<typeof Step>

/** The steps of one turn, and which turns they are for; a condition that is absent holds always. */
export const ScriptedTurn = z.strictObject({
  phase: Slug.optional(),
  mode: Mode.optional(),
  issue: IssueNumber.optional(),
  attempt: z.int().min(1).optional(),
  steps: z.array(Step),
})
export type ScriptedTurn = z.infer<typeof ScriptedTurn>

export const Script = z.strictObject({
  version: z.literal(1).default(1),
  /** The first that fits is played. */
  turns: z.array(ScriptedTurn),
})
export type Script = z.infer<typeof Script>

/** A script as a test writes it, defaults left out. */
export type ScriptInput = z.input<typeof Script>

/** Returns the script a YAML text says. @throws VT_YAML, or VT_CONFIG with key and nearest name */
export function parseScript(text: string, file: string = SCRIPT_FILE): Script {
  return checkShape(Script, parseMapping(text, file), file)
}

/** Returns the script of a revision, or undefined when it has none. */
export async function loadScript(reader: FileReader): Promise<Script | undefined> {
  const text = await reader.read(SCRIPT_FILE)
  return text === undefined ? undefined : parseScript(text)
}
