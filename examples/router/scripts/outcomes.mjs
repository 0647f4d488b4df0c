// Writes outcomes.csv: what three agents would have made of 240 issues. A stand-in for a table of your own, drawn from a
// model that is written here: issues are easy or hard for everybody, and dearer agents solve more of the hard ones.
import { writeFileSync } from 'node:fs'

const AGENTS = [
  { id: 'agent:small', ability: -0.2, usd: 0.03 },
  { id: 'agent:middle', ability: 0.6, usd: 0.3 },
  { id: 'agent:large', ability: 2, usd: 0.9 },
]

let state = 20260101
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state / 4294967296
}
const difficulty = () => uniform() + uniform() + uniform() + uniform() - 2

const header = ['issue', ...AGENTS.flatMap(({ id }) => [`${id}|resolved`, `${id}|usd`, `${id}|calls`])]
const lines = Array.from({ length: 240 }, (_, i) => {
  const hard = 2.5 * difficulty()
  const cells = AGENTS.flatMap(({ ability, usd }) => {
    const effort = 0.6 + 0.8 * uniform() + 0.2 * Math.max(0, hard)
    const resolved = uniform() < 1 / (1 + Math.E ** (2 * (hard - ability))) ? 1 : 0
    return [resolved, (usd * effort).toFixed(4), Math.ceil(25 * effort)]
  })
  return [`project-${i + 1}`, ...cells].join(',')
})
writeFileSync(new URL('../outcomes.csv', import.meta.url), `${[header.join(','), ...lines].join('\n')}\n`)
