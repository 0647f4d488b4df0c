/** An outcome table as configurations name it: which file, which arms, what money counts for, how far the gate is right. */
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { sha256 } from '../../core/canonical.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { resolveInside } from '../../core/files.ts'
import { type GateRates, measureGate, requireRates } from './gate.ts'
import { type OutcomeTable, parseOutcomeTable, withArms } from './table.ts'

const share = z.number().min(0).max(1)

export const Outcomes = z.strictObject({
  table: z
    .string()
    .min(1)
    .describe('Repository path of a CSV with the columns issue, then <arm>|resolved, <arm>|usd and <arm>|calls.'),
  arms: z.array(z.string()).min(1).optional().describe('The arms to choose among; all of the table unless told.'),
  price: z.number().min(0).default(0.1).describe('What a US dollar counts for, in solved issues.'),
  gate: z
    .union([
      z.strictObject({ falsePass: share, falseFail: share }),
      z.strictObject({
        record: z.string().min(1).describe('Repository path of a CSV with the columns passed and right, 0 or 1.'),
      }),
    ])
    .default({ falsePass: 0, falseFail: 0 })
    .describe('How often the gate passes what is wrong and fails what is right, or the record those are measured from.'),
  handOver: share.default(0).describe('Value of handing over to a person, in solved issues.'),
})
export type Outcomes = z.infer<typeof Outcomes>

export interface OpenedOutcomes {
  table: OutcomeTable
  gate: GateRates
  /** What enters a run's hash. */
  identity: { table: string; sha256: string; arms: string[]; price: number; gate: GateRates; handOver: number }
}

/** Reads a table and its gate. @throws VT_DATA_MISSING, VT_OUTSIDE, VT_TABLE, VT_TABLE_ARM, VT_GATE_RATES */
export async function openOutcomes(
  root: string,
  { table: path, arms, price, gate, handOver }: Outcomes,
): Promise<OpenedOutcomes> {
  const text = await read(root, path)
  const whole = parseOutcomeTable(text, path)
  const table = arms === undefined ? whole : withArms(whole, arms)
  const measured = 'record' in gate ? ratesOf(await read(root, gate.record), gate.record) : gate
  requireRates(measured)
  const rates = { falsePass: measured.falsePass, falseFail: measured.falseFail }
  return {
    table,
    gate: rates,
    identity: { table: path, sha256: sha256(text), arms: [...table.arms], price, gate: rates, handOver },
  }
}

/** Returns a gate's rates from a record of what it said and what came out. @throws VT_GATE_RECORD naming the line */
export function ratesOf(text: string, file: string): GateRates {
  const [header, ...lines] = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
  const wrong = (line: number, why: string) =>
    new ValuetrainError('VT_GATE_RECORD', `${file}:${line}: ${why}`, {
      kind: 'config',
      hint: 'A record has the columns passed and right, and a line of 0s and 1s for each piece of work that was judged.',
    })
  if (header?.trim() !== 'passed,right') throw wrong(1, `the columns are "${header ?? ''}", not "passed,right"`)
  if (lines.length === 0) throw wrong(1, 'nothing was judged')
  return measureGate(
    lines.map((line, i) => {
      const cells = line.split(',').map((cell) => cell.trim())
      if (cells.length !== 2 || cells.some((cell) => cell !== '0' && cell !== '1'))
        throw wrong(i + 2, `"${line}" is not two of 0 and 1`)
      return { passed: cells[0] === '1', right: cells[1] === '1' }
    }),
  )
}

async function read(root: string, path: string): Promise<string> {
  return readFile(await resolveInside(root, path), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ValuetrainError('VT_DATA_MISSING', `the data file ${path} cannot be read (${cause.code})`, {
      kind: 'config',
      hint: 'mend the path; it is a repository path',
      cause,
    })
  })
}
