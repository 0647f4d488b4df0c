import { describe, expect, test } from 'vitest'
import { chooseRuntime, listRuntimes, recipeOf } from '../../agents/index.ts'
import type { Config } from '../../core/config.ts'
import type { Runtime } from '../../core/contracts/runtime.ts'

const recipes: Config['recipes'] = { tidy: [['node', 'scripts/tidy.mjs']], bump: [['npm', 'version', 'patch']] }
const runtimes = listRuntimes({ env: {}, script: { turns: [] } })

function choose(
  labels: string[],
  { agent = null, override, known = recipes }: { agent?: string | null; override?: string; known?: Config['recipes'] } = {},
) {
  const choice = chooseRuntime({ number: 1, labels }, { config: { agent, recipes: known }, override, runtimes })
  return 'needs' in choice ? choice.needs : [choice.runtime.id, choice.recipe]
}

describe('who works an issue', () => {
  test('is the recipe that its label names, with the commands of the configuration', () => {
    expect(choose(['auto', 'recipe:tidy'])).toEqual(['recipe', { name: 'tidy', commands: recipes.tidy }])
  })

  test('is the runtime that its label names', () => {
    expect(choose(['agent:person'])).toEqual(['person', undefined])
  })

  test('is the configured agent where no label speaks', () => {
    expect(choose(['auto'], { agent: 'scripted' })).toEqual(['scripted', undefined])
    expect(choose(['recipe:tidy'], { agent: 'scripted' })).toEqual(['recipe', expect.anything()])
  })

  test('is what the command line says before anything else', () => {
    expect(choose(['recipe:tidy'], { override: 'person' })).toEqual(['person', { name: 'tidy', commands: recipes.tidy }])
    expect(choose([], { agent: 'person', override: 'scripted' })).toEqual(['scripted', undefined])
  })

  test.each<[string, string[], object, string]>([
    [
      'no label and no agent',
      ['auto'],
      {},
      'label it `recipe:<name>` (known: bump, tidy) or `agent:<runtime>`, or set `agent` in .valuetrain/config.yaml',
    ],
    [
      'no label where there are no recipes',
      [],
      { known: {} },
      'label it `recipe:<name>` (the committed configuration has none) or `agent:<runtime>`, or set `agent` in .valuetrain/config.yaml',
    ],
    [
      'a recipe there is not',
      ['recipe:tydi'],
      {},
      'the label `recipe:tydi` names no recipe (did you mean "tidy"?) (known: bump, tidy); add it to `recipes` and commit that',
    ],
    [
      'a recipe that has the name of something every object has',
      ['recipe:constructor'],
      {},
      expect.stringContaining('names no recipe'),
    ],
    ['two recipes', ['recipe:tidy', 'recipe:bump'], {}, 'keep one of its labels `recipe:tidy` and `recipe:bump`'],
    ['a recipe and an agent', ['recipe:tidy', 'agent:person'], {}, 'keep one of its labels `recipe:tidy` and `agent:person`'],
    [
      'a runtime there is not',
      ['agent:persn'],
      {},
      expect.stringMatching(
        /^the label `agent:persn` names no runtime \(did you mean "person"\?\) \(known: recipe, person, scripted, /,
      ),
    ],
    ['the recipe runtime without a recipe', [], { override: 'recipe' }, 'label it `recipe:<name>` (known: bump, tidy)'],
    ['a label that is the prefix alone', ['recipe:'], {}, expect.stringContaining('the label `recipe:` names no recipe')],
  ])('is told to be missing for %s', (_, labels, options, needs) => {
    expect(choose(labels, options)).toEqual(needs)
  })

  test('is never decided by commands in a label', () => {
    expect(choose(['recipe:rm -rf /'])).toEqual(expect.stringContaining('names no recipe'))
    expect([recipeOf(['recipe:constructor'], recipes), recipeOf(['recipe:tidy', 'recipe:bump'], recipes)]).toEqual([
      undefined,
      undefined,
    ])
  })

  test('is an error when the command line or the configuration names nobody', () => {
    expect(() => choose([], { override: 'recipy' })).toThrow(
      expect.objectContaining({
        code: 'VT_RUNTIME_UNKNOWN',
        kind: 'user',
        message: expect.stringContaining('did you mean "recipe"?'),
      }),
    )
    expect(() => choose([], { agent: 'robot' })).toThrow(
      expect.objectContaining({
        code: 'VT_RUNTIME_UNKNOWN',
        kind: 'config',
        message: expect.stringContaining('.valuetrain/config.yaml: agent'),
      }),
    )
  })

  test('is not the scripted runtime where there is no script', () => {
    const without = listRuntimes({ env: {}, script: undefined })
    expect(chooseRuntime({ number: 1, labels: [] }, { config: { agent: 'scripted', recipes }, runtimes: without })).toEqual({
      needs: 'it needs .valuetrain/scripted.yaml, committed on the default branch',
    })
  })
})

describe('the list of runtimes', () => {
  test('has the built-in ones, and an extension takes the place of one with its id', async () => {
    expect(runtimes.map(({ id }) => id).slice(0, 3)).toEqual(['recipe', 'person', 'scripted'])
    const own: Runtime = { ...(runtimes[1] as Runtime), title: 'our own' }
    const extended = listRuntimes({ env: {}, script: undefined, extensions: [own] })
    expect(extended.slice(0, 3).map(({ id, title }) => [id, title === 'our own'])).toEqual([
      ['person', true],
      ['recipe', false],
      ['scripted', false],
    ])
    expect(await Promise.all(extended.slice(0, 3).map((runtime) => runtime.probe()))).toEqual([
      { ready: true, why: 'built in' },
      { ready: true, why: 'built in' },
      { ready: false, why: 'it needs .valuetrain/scripted.yaml, committed on the default branch' },
    ])
  })
})
