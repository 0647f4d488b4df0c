import { describe, expect, it } from 'vitest'
import * as YAML from 'yaml'
import { builtinGates } from '../../gates/index.ts'
import { checkGateNames, nextPhase, ownerOf, phaseOf, stretches } from '../../modes/index.ts'
import { methodOf } from './method.ts'

const builtin = await methodOf()
const pipeline = (id: string) => builtin.pipelines.get(id) as NonNullable<ReturnType<typeof builtin.pipelines.get>>

/** Loads a pipeline of these phases. */
function load(phases: object[]) {
  const text = YAML.stringify({ schema: 1, id: 'own', title: 'Own', purpose: 'Own.', phases })
  return methodOf({ '.valuetrain/pipelines/own.yaml': text })
}

describe('the built-in pipelines', () => {
  it('ship routine in one stretch, product and ml in one a phase', () => {
    const shapes = ['routine', 'product', 'ml'].map((id) =>
      stretches(pipeline(id)).map((phases) => phases.map(({ name }) => name).join('+')),
    )
    expect(shapes).toMatchInlineSnapshot(`
      [
        [
          "build+evaluate+deliver",
        ],
        [
          "intake",
          "discover",
          "scope",
          "design",
          "build",
          "evaluate",
          "deliver",
          "operate",
          "improve",
        ],
        [
          "opportunity",
          "discovery",
          "readiness",
          "scope",
          "pre-kickoff",
          "data-sources",
          "model-architecture",
          "extraction",
          "preparation",
          "exploration",
          "feature-engineering",
          "training",
          "validation",
          "deployment",
          "monitoring",
          "evaluation",
          "performance-analysis",
          "improvement",
          "retraining",
        ],
      ]
    `)
  })

  it('lead from retraining back to training, and end where routine and product end', () => {
    expect(nextPhase(pipeline('ml'), 'retraining')?.name).toBe('training')
    expect([nextPhase(pipeline('routine'), 'deliver'), nextPhase(pipeline('product'), 'improve')]).toEqual([undefined, undefined])
    expect(nextPhase(pipeline('routine'), 'build')?.name).toBe('evaluate')
  })

  it('give each phase an owner, and children to the product’s build alone', () => {
    expect(
      pipeline('ml')
        .phases.map((phase) => ownerOf(phase, builtin))
        .join(' '),
    ).toBe(
      'onboarder onboarder onboarder onboarder conductor lab lab lab lab lab lab lab evaluator ops ops evaluator improver improver lab',
    )
    const withChildren = [...builtin.pipelines.values()].flatMap(({ id, phases }) =>
      phases.filter(({ children }) => children).map(({ name }) => `${id} ${name}`),
    )
    expect(withChildren).toEqual(['product build'])
  })

  it('name phases that exist', () => {
    expect(() => phaseOf(pipeline('ml'), 'trainig')).toThrow('pipeline "ml" has no phase "trainig" (did you mean "training"?)')
  })
})

describe('a pipeline file', () => {
  it('of 17 or 18 phases in the form of ml is accepted', async () => {
    const without = (names: string[]) => pipeline('ml').phases.filter(({ name }) => !names.includes(name))
    for (const [count, phases] of [
      [18, without(['exploration'])],
      [17, without(['exploration', 'pre-kickoff'])],
    ] as const) {
      const method = await load(phases)
      expect(method.pipelines.get('own')?.phases).toHaveLength(count)
      expect(nextPhase(method.pipelines.get('own') as never, 'retraining')?.name).toBe('training')
    }
  })

  it('may loop where the table has the edge', async () => {
    const phases = [
      { name: 'operate', mode: 'operate' },
      { name: 'improve', mode: 'improve', next: 'operate' },
    ]
    expect((await load(phases)).pipelines.has('own')).toBe(true)
  })

  const build = { name: 'build', mode: 'build' }
  const evaluate = { name: 'evaluate', mode: 'evaluate' }
  const deliver = { name: 'deliver', mode: 'deliver' }
  const cases: [string, object[], string][] = [
    ['an unknown mode', [{ name: 'build', mode: 'biuld' }], 'phases.0.mode: expected one of'],
    [
      'an edge that is not in the table',
      [build, deliver],
      'phase "build": next: no edge leads from build to deliver ("deliver")',
    ],
    [
      'a jump over an edge',
      [{ ...build, next: 'deliver' }, evaluate, deliver],
      'phase "build": next: no edge leads from build to deliver ("deliver")',
    ],
    [
      'a next phase that is not there',
      [{ ...build, next: 'evalute' }, evaluate],
      'phase "build": next: there is no phase "evalute" (did you mean "evaluate"?)',
    ],
    [
      'a loop within one mode',
      [build, { name: 'more', mode: 'build', next: 'build' }],
      'phase "more": next: "build" makes a loop that never leaves build',
    ],
    [
      'a phase that leads to itself',
      [{ ...build, next: 'build' }],
      'phase "build": next: "build" makes a loop that never leaves build',
    ],
    ['a phase nobody leads to', [build, { ...evaluate, next: null }, deliver], 'phase "deliver": no way leads to it'],
    ['a name that is there twice', [build, { ...evaluate, name: 'build' }], 'phase "build": name: is there twice'],
    ['a child state of another mode', [{ ...build, child: 'qa' }], 'phase "build": child: "qa" is not a child state of build'],
    [
      'an unknown item',
      [{ ...build, items: ['comands'] }],
      'phase "build": items: build has no item "comands" (did you mean "commands"?)',
    ],
    ['a role that does not work there', [{ ...build, role: 'ops' }], 'phase "build": role: "ops" does not work in build'],
    ['an unknown role', [{ ...build, role: 'opps' }], 'phases.0.role: expected one of'],
    ['a first phase that is joined', [{ ...build, joined: true }], 'phase "build": joined: there is no phase before it'],
    [
      'a joined phase its neighbour does not lead to',
      [build, { ...evaluate, next: null }, { ...deliver, joined: true }],
      'phase "deliver": joined: "evaluate" does not lead to it',
    ],
    [
      'a loop into the middle of a stretch',
      [build, { ...evaluate, joined: true }, { name: 'improve', mode: 'improve', next: 'evaluate' }],
      'phase "improve": next: "evaluate" is joined to the phase before it',
    ],
    ['an unknown key', [{ ...build, gate: [] }], 'unknown key "phases.0.gate" (did you mean "gates"?)'],
    ['no phase at all', [], 'phases: '],
  ]
  it.each(cases)('is refused with its place: %s', async (_, phases, message) => {
    const error = await load(phases).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ kind: 'config', message: expect.stringMatching(/^\.valuetrain\/pipelines\/own\.yaml: /) })
    expect((error as Error).message).toContain(message)
  })

  it('is refused when the repository’s mode leaves the edge out', async () => {
    const { readModeText } = await import('../../modes/index.ts')
    const narrow = (await readModeText('evaluate')).replace('forward: [deliver, improve]', 'forward: [improve]')
    const error = await methodOf({ '.valuetrain/modes/evaluate.md': narrow }).catch((caught: unknown) => caught)
    expect((error as Error).message).toBe(
      'pipelines/routine.yaml (built in): phase "evaluate": next: no edge leads from evaluate to deliver ("deliver")',
    )
  })

  it('names a gate that does not exist, with file and nearest name', async () => {
    const method = await load([{ ...build, gates: ['summry'] }])
    const gates = builtinGates.map(({ id }) => id)
    expect(() => checkGateNames(method, gates)).toThrow(
      '.valuetrain/pipelines/own.yaml: phase "build": gates: there is no gate "summry" (did you mean "summary"?)',
    )
    checkGateNames(await load([{ ...build, gates: ['summary', 'lint'] }]), gates)
  })
})
