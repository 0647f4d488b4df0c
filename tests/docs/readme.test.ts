import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { journeyOf, runJourney, shapeOf } from '../../scripts/reference/journey.ts'
import { ROOT } from '../support/sources.ts'

const readme = await readFile(join(ROOT, 'README.md'), 'utf8')

describe('the README', () => {
  it('is a page or two, not the manual', () => {
    const lines = readme.trimEnd().split('\n').length
    expect(lines).toBeGreaterThanOrEqual(150)
    expect(lines).toBeLessThanOrEqual(250)
  })

  it('names the two commands', () => {
    expect(readme).toContain('npm ci && npm start')
    expect(readme).toContain('npm ci && npm test')
  })
})

describe('the first journey', () => {
  let printed = ''
  beforeAll(async () => {
    printed = await runJourney()
  }, 240_000)

  it('is in the README as it is printed; `npm run docs -- --journey` puts it there', () => {
    expect(shapeOf(journeyOf(readme))).toBe(shapeOf(printed))
  })

  it('merges two issues and blocks the third', () => {
    expect(printed.match(/delivered: \d+ verdicts on the merge result/g)).toHaveLength(2)
    expect(printed).toMatch(/build_3 +blocked \(three-strikes\): 3 failed attempts at build/)
  })
})
