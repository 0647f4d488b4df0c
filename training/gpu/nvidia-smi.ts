/** What `nvidia-smi` says about the cards of a machine. */

export interface Card {
  index: number
  /** Identifier that stays with the card, `GPU-…`. */
  id: string
  name: string
  driver: string
  /** MiB; null where the driver does not tell. */
  memoryMiB: number | null
  usedMiB: number | null
  /** Per cent of the last moment; null where the driver does not tell. */
  busyPercent: number | null
}

/** The columns asked for, in this order. */
export const QUERY = 'index,uuid,name,driver_version,memory.total,memory.used,utilization.gpu'

/**
 * Returns the cards a report lists, or why there is none. A line that is not one of cards is left out: drivers mix
 * warnings in. Values come with or without units, and as `[N/A]`, `[Not Supported]` or `[Unknown Error]`.
 *
 * @param text standard output of `nvidia-smi --query-gpu=<QUERY> --format=csv[,noheader][,nounits]`
 * @param exit of that program; 127 when it is not installed
 */
export function readCards(text: string, exit: number): { cards: Card[]; why: string | undefined } {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const cards = lines.flatMap((line) => cardOf(line) ?? [])
  if (exit === 0 && cards.length > 0) return { cards, why: undefined }
  if (exit === 127) return { cards: [], why: 'there is no nvidia-smi on the PATH, so no NVIDIA driver was found' }
  const said = lines.find((line) => cardOf(line) === undefined && !line.startsWith('index'))
  const told = said === undefined ? 'it lists no card' : `it says "${said.slice(0, 160)}"`
  return { cards: [], why: exit === 0 ? `nvidia-smi works, but ${told}` : `nvidia-smi ended with ${exit}: ${told}` }
}

function cardOf(line: string): Card | undefined {
  const fields = line.split(',').map((field) => field.trim())
  const [index = '', id = '', name = '', driver = '', total, used, busy, ...more] = fields
  if (more.length > 0 || busy === undefined || !/^\d{1,4}$/.test(index) || !/^(GPU|MIG)-[\w-]+$/.test(id)) return undefined
  return {
    index: Number(index),
    id,
    name,
    driver,
    memoryMiB: numberOf(total),
    usedMiB: numberOf(used),
    busyPercent: numberOf(busy),
  }
}

function numberOf(field: string | undefined): number | null {
  const digits = /^(\d+)(?: (?:MiB|%))?$/.exec(field ?? '')?.[1]
  return digits === undefined ? null : Number(digits)
}
