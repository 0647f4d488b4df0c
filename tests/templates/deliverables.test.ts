import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownWords, placeholdersIn } from '../../gates/index.ts'
import { itemsOf } from '../../modes/index.ts'
import { methodOf } from '../modes/method.ts'

const folder = join(import.meta.dirname, '../../templates/deliverables')
const { modes, templates } = await methodOf()

/** What the methodology names, and the files that hold it. */
const NAMED = {
  intake: ['opportunity-brief'],
  discover: ['use-case', 'readiness', 'data-profile'],
  scope: ['mvp-plan', 'statement-of-work'],
  design: ['source-map', 'data-access-plan', 'model-spec', 'decision-records'],
  build: ['extraction-log', 'schema-spec', 'profile-report', 'feature-map', 'feature-config', 'training-log'],
  evaluate: ['eval-results', 'validation-report', 'champion-log'],
  deliver: ['deploy-config', 'deployment-notes'],
  operate: ['monitoring-config', 'health-report'],
  improve: ['improvement-roadmap', 'retraining-plan', 'performance-comparison'],
} as const

describe('deliverable templates', () => {
  it('are there for everything the methodology names, and an item asks for each', () => {
    for (const [mode, ids] of Object.entries(NAMED)) {
      const spec = modes.get(mode as never)
      expect(
        spec?.deliverables.map(({ id }) => id),
        mode,
      ).toEqual(expect.arrayContaining([...ids]))
      for (const { file, template } of spec?.deliverables ?? []) {
        const asked =
          spec &&
          itemsOf(spec).some(
            ({ evidence }) =>
              evidence.kind === 'file' && evidence.path === `{artifacts}/${file}` && evidence.template === template,
          )
        expect(asked, `${mode} ${file}`).toBe(true)
      }
    }
  })

  it('are all used and all loaded', async () => {
    expect((await readdir(folder)).sort()).toEqual([...templates.keys()].sort())
  })

  it.each([...templates])('%s holds no word that would count as an author’s, filled in or not', async (name, text) => {
    expect(text).toBe(await readFile(join(folder, name), 'utf8'))
    expect(ownWords(text)).toBe(0)
    // Whoever keeps the prompts and writes below them must not be told of placeholders.
    expect(placeholdersIn(text)).toEqual([])
    expect(ownWords(`${text}\nSeven words of somebody's own are here.\n`, text)).toBe(7)
  })
})
