// Writes gate.csv: what the gate said of work whose truth came out later. It is fooled by one wrong piece of work in ten.
import { writeFileSync } from 'node:fs'

const lines = Array.from({ length: 200 }, (_, i) => {
  const right = i % 5 < 3
  return right ? `${i % 50 === 0 ? 0 : 1},1` : `${i % 10 === 3 && i % 20 === 3 ? 1 : 0},0`
})
writeFileSync(new URL('../gate.csv', import.meta.url), `${['passed,right', ...lines].join('\n')}\n`)
