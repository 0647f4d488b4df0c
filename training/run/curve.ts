/** A learning curve as SVG: small, without scripts, the same bytes for the same rows. */
import type { MetricRow } from './journal.ts'

const WIDTH = 640
const HEIGHT = 240
const LEFT = 56
const BOTTOM = 28
const TOP = 12
const COLOURS = ['#1f77b4', '#d95f02', '#1b9e77', '#7570b3', '#e7298a', '#66a61e', '#a6761d', '#666666']

export interface CurveLine {
  label: string
  points: readonly (readonly [number, number])[]
}

/** Returns one line a seed of one metric. */
export function linesOf(rows: readonly MetricRow[], metric: string): CurveLine[] {
  const seeds = [...new Set(rows.map(({ seed }) => seed))]
  return seeds
    .map((seed) => ({
      label: `seed ${seed}`,
      points: rows.flatMap((row): [number, number][] => {
        const value = row.metrics[metric]
        return row.seed === seed && value !== undefined ? [[row.steps, value]] : []
      }),
    }))
    .filter(({ points }) => points.length > 0)
}

/**
 * Returns a curve as an SVG element.
 *
 * @param levels values to draw as dashed lines, with their names
 */
export function renderCurve(
  title: string,
  lines: readonly CurveLine[],
  levels: readonly { label: string; value: number }[] = [],
): string {
  const points = lines.flatMap(({ points }) => points)
  if (points.length === 0)
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="40"><text x="8" y="24">${text(title)}: nothing measured</text></svg>`
  const ys = [...points.map(([, y]) => y), ...levels.map(({ value }) => value)]
  const [maxX, lowY, highY] = [most(points.map(([x]) => x)), -most(ys.map((y) => -y)), most(ys)]
  const spread = highY - lowY || 1
  const x = (steps: number) => fixed(LEFT + ((WIDTH - LEFT - 8) * steps) / (maxX || 1))
  const y = (value: number) => fixed(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - lowY) / spread))
  const drawn = lines.map(({ label, points }, index) => {
    const path = thinned(points, 300)
      .map(([steps, value]) => `${x(steps)},${y(value)}`)
      .join(' ')
    return `<polyline fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="1.2" points="${path}"><title>${text(label)}</title></polyline>`
  })
  const marked = levels.flatMap(({ label, value }) => [
    `<line x1="${LEFT}" x2="${WIDTH - 8}" y1="${y(value)}" y2="${y(value)}" stroke="#999" stroke-dasharray="4 3"/>`,
    `<text x="${WIDTH - 10}" y="${fixed(Number(y(value)) - 3)}" text-anchor="end" fill="#666">${text(label)}</text>`,
  ])
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${text(title)}" font-family="sans-serif" font-size="11">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<line x1="${LEFT}" x2="${LEFT}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#444"/>`,
    `<line x1="${LEFT}" x2="${WIDTH - 8}" y1="${HEIGHT - BOTTOM}" y2="${HEIGHT - BOTTOM}" stroke="#444"/>`,
    `<text x="${LEFT - 6}" y="${TOP + 8}" text-anchor="end">${short(highY)}</text>`,
    `<text x="${LEFT - 6}" y="${HEIGHT - BOTTOM}" text-anchor="end">${short(lowY)}</text>`,
    `<text x="${WIDTH - 8}" y="${HEIGHT - 8}" text-anchor="end">${short(maxX)} steps</text>`,
    `<text x="${LEFT + 8}" y="${HEIGHT - 8}">${text(title)}</text>`,
    ...marked,
    ...drawn,
    '</svg>',
  ].join('\n')
}

/** Returns at most `limit` items, evenly taken, the last one among them. */
export function thinned<T>(items: readonly T[], limit: number): T[] {
  if (items.length <= limit) return [...items]
  return Array.from({ length: limit }, (_, n) => items[Math.round((n * (items.length - 1)) / (limit - 1))] as T)
}

/** Returns text that is safe inside markup. */
export function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function most(values: readonly number[]): number {
  return values.reduce((a, b) => (a > b ? a : b), Number.NEGATIVE_INFINITY)
}

function fixed(value: number): string {
  return value.toFixed(1)
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)))
}
