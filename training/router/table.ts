/**
 * Outcome tables: what each arm would have done on each issue. CSV with a column `issue`, then for each arm
 * `<arm>|resolved` (0 or 1), `<arm>|usd` and `<arm>|calls`.
 */
import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import { power } from '../math.ts'
import { randomFrom } from '../random.ts'

export interface Outcome {
  resolved: boolean
  usd: number
  calls: number
}

export interface OutcomeTable {
  arms: readonly string[]
  rows: readonly OutcomeTableRow[]
}

export interface OutcomeTableRow {
  issue: string
  /** Where the issue belongs: its id up to the last `-`, `#` or `/`, e.g. the repository; the whole id without one. */
  group: string
  /** One an arm, in the order of the arms. */
  outcomes: readonly Outcome[]
}

const FIELDS = ['resolved', 'usd', 'calls'] as const

/**
 * Returns a table from CSV.
 *
 * @throws VT_TABLE naming line and column: a missing cell, a resolved that is not 0 or 1, a negative or infinite cost,
 *   an arm without one of its three columns, an issue that is there twice
 */
export function parseOutcomeTable(text: string, file: string): OutcomeTable {
  const [header, ...lines] = parseCsv(text)
  if (header === undefined || header[0] !== 'issue')
    throw broken(file, 1, `the first column is "${header?.[0] ?? ''}", not "issue"`)
  const columns = new Map<string, number>()
  for (const [i, name] of header.entries()) {
    if (columns.has(name)) throw broken(file, 1, `column "${name}" is there twice`)
    columns.set(name, i)
  }
  const arms = armsOf(header, columns, file)
  const seen = new Set<string>()
  const rows = lines.map((cells, i): OutcomeTableRow => {
    const line = i + 2
    if (cells.length !== header.length) throw broken(file, line, `${cells.length} cells, the header has ${header.length}`)
    const issue = cells[0] as string
    if (issue === '') throw broken(file, line, 'the issue has no id')
    if (seen.has(issue)) throw broken(file, line, `issue ${issue} is there twice`)
    seen.add(issue)
    const cell = (arm: string, field: string) =>
      number(cells[columns.get(`${arm}|${field}`) as number] as string, `${arm}|${field}`, file, line)
    const outcomes = arms.map((arm): Outcome => {
      const resolved = cell(arm, 'resolved')
      if (resolved !== 0 && resolved !== 1) throw broken(file, line, `${arm}|resolved is ${resolved}, not 0 or 1`)
      return { resolved: resolved === 1, usd: cell(arm, 'usd'), calls: cell(arm, 'calls') }
    })
    return { issue, group: groupOf(issue), outcomes }
  })
  if (rows.length === 0) throw broken(file, 1, 'there is a header and no issue')
  return { arms, rows }
}

/** Returns the CSV of a table; reading it gives the table back. */
export function renderOutcomeTable({ arms, rows }: OutcomeTable): string {
  const quote = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const header = ['issue', ...arms.flatMap((arm) => FIELDS.map((field) => `${arm}|${field}`))]
  const lines = rows.map(({ issue, outcomes }) => [
    issue,
    ...outcomes.flatMap(({ resolved, usd, calls }) => [resolved ? '1' : '0', `${usd}`, `${calls}`]),
  ])
  return `${[header, ...lines].map((cells) => cells.map(quote).join(',')).join('\n')}\n`
}

/** Returns the table with these arms only, in this order. @throws VT_TABLE_ARM for one that is not there */
export function withArms(table: OutcomeTable, arms: readonly string[]): OutcomeTable {
  const places = arms.map((arm) => {
    const place = table.arms.indexOf(arm)
    if (place >= 0) return place
    throw new ValuetrainError('VT_TABLE_ARM', `the table has no arm "${arm}"${didYouMean(arm, table.arms)}`, {
      kind: 'config',
      hint: `Its arms: ${table.arms.join(', ')}.`,
    })
  })
  return { arms, rows: table.rows.map((row) => ({ ...row, outcomes: places.map((place) => row.outcomes[place] as Outcome) })) }
}

/** How an arm of a generated table does. */
export interface GeneratedArm {
  id: string
  /** Share of all issues it solves, about. */
  solves: number
  /** Mean cost of an issue. */
  usd: number
}

/**
 * Returns a table drawn by a model whose truth is known: each issue has a difficulty that all arms share, each group a
 * leaning towards some arms, and what is hard costs more.
 *
 * @param alike 0 to 1: how much of the outcome is the issue's difficulty; default 0.7
 * @param leaning how much groups differ in which arm suits them; default 0.3
 */
export function generateOutcomeTable(options: {
  arms: readonly GeneratedArm[]
  issues: number
  groups: number
  seed: number
  alike?: number
  leaning?: number
}): OutcomeTable {
  const { arms, issues, groups, seed, alike = 0.7, leaning = 0.3 } = options
  const random = randomFrom(seed)
  const lean = Array.from({ length: groups }, () => arms.map(() => leaning * random.normal()))
  const noise = Math.sqrt(1 - alike * alike)
  // Each arm's bar is set by what it gives on many drawn issues, so that the shares come out as asked.
  const margins = arms.map((_, arm) =>
    Float64Array.from(
      { length: issues * 8 },
      (__, i) => alike * random.normal() + noise * random.normal() + (lean[i % groups]?.[arm] ?? 0),
    ).sort(),
  )
  const bars = arms.map(({ solves }, arm) => margins[arm]?.[Math.floor((1 - solves) * (issues * 8 - 1))] ?? 0)
  const rows = Array.from({ length: issues }, (_, i): OutcomeTableRow => {
    const group = random.below(groups)
    const ease = random.normal()
    const outcomes = arms.map(({ usd }, arm): Outcome => {
      const margin = alike * ease + noise * random.normal() + (lean[group]?.[arm] ?? 0)
      const effort = power(2, -0.6 * ease + 0.5 * random.normal()) / 1.13
      return {
        resolved: margin > (bars[arm] as number),
        usd: Number((usd * effort).toFixed(5)),
        calls: Math.max(1, Math.round(30 * effort)),
      }
    })
    return { issue: `group-${group}#${i + 1}`, group: `group-${group}`, outcomes }
  })
  return { arms: arms.map(({ id }) => id), rows }
}

function armsOf(header: readonly string[], columns: ReadonlyMap<string, number>, file: string): string[] {
  const arms: string[] = []
  for (const name of header.slice(1)) {
    const bar = name.lastIndexOf('|')
    const arm = name.slice(0, Math.max(0, bar))
    const field = name.slice(bar + 1)
    if (arm === '' || !(FIELDS as readonly string[]).includes(field)) {
      throw broken(file, 1, `column "${name}" is not <arm>|resolved, <arm>|usd or <arm>|calls`)
    }
    if (!arms.includes(arm)) arms.push(arm)
  }
  for (const arm of arms)
    for (const field of FIELDS)
      if (!columns.has(`${arm}|${field}`)) throw broken(file, 1, `arm ${arm} has no column ${arm}|${field}`)
  if (arms.length === 0) throw broken(file, 1, 'there is no arm')
  return arms
}

function groupOf(issue: string): string {
  const end = Math.max(issue.lastIndexOf('-'), issue.lastIndexOf('#'), issue.lastIndexOf('/'))
  return end > 0 ? issue.slice(0, end) : issue
}

function number(text: string, column: string, file: string, line: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (text.trim() === '') throw broken(file, line, `${column} is empty`)
  if (!Number.isFinite(value)) throw broken(file, line, `${column} is "${text}", not a number`)
  if (value < 0) throw broken(file, line, `${column} is ${value}, below 0`)
  return value
}

function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let quoted = false
  const source = text.replace(/^\uFEFF/, '')
  for (let i = 0; i < source.length; i++) {
    const c = source[i] as string
    if (quoted) {
      if (c !== '"') cell += c
      else if (source[i + 1] === '"') {
        cell += '"'
        i++
      } else quoted = false
    } else if (c === '"') quoted = true
    else if (c === ',') {
      row.push(cell)
      cell = ''
    } else if (c === '\n') {
      rows.push([...row, cell.replace(/\r$/, '')])
      row = []
      cell = ''
    } else cell += c
  }
  if (cell !== '' || row.length > 0) rows.push([...row, cell])
  return rows.filter((cells) => cells.length > 1 || cells[0] !== '')
}

function broken(file: string, line: number, why: string): ValuetrainError {
  return new ValuetrainError('VT_TABLE', `${file}:${line}: ${why}`, {
    kind: 'config',
    hint: 'An outcome table has the columns issue, then <arm>|resolved, <arm>|usd and <arm>|calls for each arm, every cell filled.',
    details: { file, line },
  })
}
