/** Data files held against what spoils training: cells of another type, rows in two splits, classes too rare. */
import { ValuetrainError } from '../../core/errors.ts'
import type { Anomaly } from './watch.ts'

/** Rows of text, as a file had them. */
export interface DataTable {
  file: string
  columns: readonly string[]
  /** Cells in the order of the columns, with the line each row stood at. */
  rows: readonly { line: number; cells: readonly string[] }[]
  /** Rows that had another number of cells, by their line. */
  torn: readonly number[]
}

/** Fewer rows carry nothing. */
const LEAST_ROWS = 50
/** Fewer of a class, or a smaller share, are not learned. */
const LEAST_OF_CLASS = { rows: 10, share: 0.05 }
/** A column in which so many cells are numbers is one of numbers. */
const MOSTLY = 0.9
const NAMED = 5

/** Returns a CSV or JSONL file's rows. @throws VT_DATA_FORMAT when it is neither, by its line */
export function readDataTable(text: string, file: string): DataTable {
  return text.trimStart().startsWith('{') ? fromJsonLines(text, file) : fromCsv(text, file)
}

/**
 * Returns what is wrong with a data file, at most one anomaly a code and column.
 *
 * @param target column that is to be foretold
 * @param held the other split: what is measured on when `table` is learned from
 * @throws VT_DATA_COLUMN when there is no such target
 */
export function examineData(table: DataTable, { target, held }: { target?: string; held?: DataTable } = {}): Anomaly[] {
  const place = target === undefined ? -1 : table.columns.indexOf(target)
  if (target !== undefined && place < 0) {
    throw new ValuetrainError('VT_DATA_COLUMN', `${table.file} has no column "${target}"`, {
      kind: 'config',
      hint: `its columns: ${table.columns.join(', ')}`,
    })
  }
  return [
    ...types(table),
    ...(held === undefined ? [] : sharedRows(table, held)),
    ...(place < 0 ? [] : [...givenAway(table, place), ...rareClasses(table, place)]),
  ]
}

function types(table: DataTable): Anomaly[] {
  const torn =
    table.torn.length === 0
      ? []
      : [
          {
            code: 'T301',
            evidence: `${table.file}: ${some(table.torn.map((line) => `line ${line}`))} do not have ${table.columns.length} cells`,
          },
        ]
  const mixed = table.columns.flatMap((column, n) => {
    const cells = table.rows.map(({ line, cells }) => ({ line, text: cells[n] as string })).filter(({ text }) => text !== '')
    const odd = cells.filter(({ text }) => !Number.isFinite(Number(text)))
    if (odd.length === 0 || odd.length > (1 - MOSTLY) * cells.length) return []
    const where = some(odd.map(({ line, text }) => `line ${line} has "${text.slice(0, 30)}"`))
    return [{ code: 'T301', evidence: `${table.file}: column ${column} holds numbers, but ${where}` }]
  })
  return [...torn, ...mixed]
}

function sharedRows(table: DataTable, held: DataTable): Anomaly[] {
  const known = new Map(held.rows.map(({ line, cells }) => [likeness(cells), line]))
  const both = table.rows.flatMap(({ line, cells }) => {
    const other = known.get(likeness(cells))
    return other === undefined ? [] : [`line ${line} is line ${other} of ${held.file}`]
  })
  return both.length === 0
    ? []
    : [{ code: 'T302', evidence: `${table.file}: ${both.length} rows are in both splits; ${some(both)}` }]
}

/** A feature that stands for the target one to one is the target under another name. */
function givenAway(table: DataTable, place: number): Anomaly[] {
  const targets = new Set(table.rows.map(({ cells }) => cells[place]))
  if (targets.size < 2) return []
  return table.columns.flatMap((column, n) => {
    if (n === place || new Set(table.rows.map(({ cells }) => cells[n])).size !== targets.size) return []
    const pairs = new Set(table.rows.map(({ cells }) => JSON.stringify([cells[n], cells[place]])))
    if (pairs.size !== targets.size || table.rows.length < 2 * targets.size) return []
    return [{ code: 'T302', evidence: `${table.file}: column ${column} tells ${table.columns[place]} one to one` }]
  })
}

function rareClasses(table: DataTable, place: number): Anomaly[] {
  const counts = new Map<string, number>()
  for (const { cells } of table.rows) counts.set(cells[place] as string, (counts.get(cells[place] as string) ?? 0) + 1)
  const total = table.rows.length
  if (total < LEAST_ROWS)
    return [{ code: 'T303', evidence: `${table.file}: ${total} rows; fewer than ${LEAST_ROWS} carry nothing` }]
  // Many different values are a number to be foretold, not classes.
  if (counts.size > Math.sqrt(total)) return []
  const rare = [...counts].filter(([, count]) => count < LEAST_OF_CLASS.rows || count < LEAST_OF_CLASS.share * total)
  if (rare.length === 0) return []
  const named = some(rare.map(([name, count]) => `"${name}" is ${count} of ${total}`))
  return [{ code: 'T303', evidence: `${table.file}: of column ${table.columns[place]}, ${named}` }]
}

/** Near-duplicates share it: case, spaces and digits past the sixth do not make a row another one. */
function likeness(cells: readonly string[]): string {
  const plain = cells.map((cell) => {
    const value = Number(cell)
    return cell !== '' && Number.isFinite(value)
      ? String(Number(value.toPrecision(6)))
      : cell.toLowerCase().replace(/\s+/g, ' ').trim()
  })
  return JSON.stringify(plain)
}

function some(list: readonly string[]): string {
  const rest = list.length - NAMED
  return `${list.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

function fromJsonLines(text: string, file: string): DataTable {
  const objects = text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    try {
      return [{ line: index + 1, value: JSON.parse(line) as Record<string, unknown> }]
    } catch {
      throw new ValuetrainError('VT_DATA_FORMAT', `${file}: line ${index + 1} is no JSON`, {
        kind: 'config',
        hint: 'Give CSV, or one JSON object a line.',
      })
    }
  })
  const columns = Object.keys(objects[0]?.value ?? {})
  const fits = ({ value }: { value: Record<string, unknown> }) => columns.every((column) => Object.hasOwn(value, column))
  return {
    file,
    columns,
    rows: objects.filter(fits).map(({ line, value }) => ({ line, cells: columns.map((column) => cellOf(value[column])) })),
    torn: objects.filter((one) => !fits(one)).map(({ line }) => line),
  }
}

function cellOf(value: unknown): string {
  return typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value)
}

function fromCsv(text: string, file: string): DataTable {
  const lines = text.split(/\r?\n/).map((line, index) => ({ line: index + 1, cells: splitCsv(line) }))
  const [header, ...rest] = lines.filter(({ cells }) => cells.length > 1 || cells[0] !== '')
  if (header === undefined) throw new ValuetrainError('VT_DATA_FORMAT', `${file} is empty`, { kind: 'config' })
  const fits = ({ cells }: { cells: readonly string[] }) => cells.length === header.cells.length
  return { file, columns: header.cells, rows: rest.filter(fits), torn: rest.filter((row) => !fits(row)).map(({ line }) => line) }
}

/** One line of CSV with quotes doubled inside quotes. @see RFC 4180 */
function splitCsv(line: string): string[] {
  const cells: string[] = []
  for (const [, quoted, plain] of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
    cells.push(quoted === undefined ? (plain as string).trim() : quoted.replaceAll('""', '"'))
  }
  return cells
}
