import { createHash } from 'node:crypto'
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import { diagnosisFile } from '../../training/run/index.ts'
import { openTerminal } from '../bin/terminal.ts'
import { makeRepository } from '../support/repository.ts'

const TRAIN = `# Kept by hand.
name: pole
algorithm: ppo
environment: CartPole-v1
evaluation: { episodes: 10 } # few
rules: [{ rule: threshold, at: 5 }]
settings:
  totalSteps: 512
  environments: 4
  rolloutSteps: 32
  minibatch: 128
  epochs: 2
  hidden: [8]
  learningRate: 0.01 # high
`

async function trained() {
  const repository = await makeRepository({ 'train.yaml': TRAIN, 'other.yaml': TRAIN.replace('epochs: 2', 'epochs: 3') })
  const terminal = openTerminal({ ...repository, clock: systemClock })
  const train = async (file: string) => {
    const { stdout } = await terminal.run('train', file, '--json')
    return JSON.parse(stdout.trim().split('\n').at(-1) as string) as { run: string; folder: string }
  }
  const commitRun = (message: string) => repository.commit({}, message)
  return { ...repository, terminal, train, commitRun }
}

describe('the commands of training', () => {
  it('plan, train, list, compare, promote, roll back, export and measure again', async () => {
    const { terminal, train, commitRun, git, dir, write } = await trained()
    const plan = JSON.parse((await terminal.run('train', 'train.yaml', '--plan', '--json')).stdout)
    expect(plan).toMatchObject({ policy: 'pole', steps: 512, episodes: 10, champion: null, rules: [{ rule: 'threshold' }] })
    expect(plan.endsEarly).toBeNull()
    const early = TRAIN.replace('episodes: 10 }', 'episodes: 10, everySteps: 128, stopAt: 5, patience: 1 }')
    await write({ 'early.yaml': early })
    const told = (await terminal.run('train', 'early.yaml', '--plan')).stdout
    expect(told).toMatch(/^steps +at most 512, about/m)
    expect(told).toContain('a learner by itself, at a held-out mean of 5 or after 1 look without a better one')
    await rm(join(dir, 'early.yaml'))
    expect((await terminal.run('runs', 'list')).stdout).toBe('no runs\n')
    const first = await train('train.yaml')
    expect(first.run).toBe(plan.run)
    expect(await terminal.run('policy', 'promote', first.run)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`run ${first.run} is not committed (8 files)`),
    })
    await commitRun('Train')
    const second = await train('other.yaml')
    await commitRun('Train again')
    expect((await terminal.run('policy', 'promote', first.run.slice(0, 5))).code).toBe(0)
    expect(await git.text(['log', '-1', '--format=%(trailers:key=Valuetrain-Run,valueonly)'])).toBe(`${first.run}\n`)
    expect((await terminal.run('policy', 'promote', second.run, '--reason', 'more epochs')).code).toBe(0)
    const shown = JSON.parse((await terminal.run('policy', 'show', 'pole', '--json')).stdout)[0]
    expect(shown.aliases).toEqual({ champion: second.run, challenger: null, previous: first.run })
    expect(shown.stages).toMatchObject([
      { run: second.run, stage: 'production' },
      { run: first.run, stage: 'archived' },
    ])
    expect((await terminal.run('policy', 'show', 'pole')).stdout).toContain(`run ${first.run}  archived    version `)
    expect(await terminal.run('policy', 'promote', first.run)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`run ${first.run} of pole is archived`),
    })
    expect(await terminal.run('policy', 'promote', second.run)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`run ${second.run} is champion of pole already`),
    })
    expect((await terminal.run('policy', 'rollback', 'pole')).stdout).toContain(`pole champion is run ${first.run} again`)
    expect(await terminal.run('policy', 'rollback', 'pole')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('there is nothing to go back to'),
    })
    const compared = JSON.parse((await terminal.run('runs', 'compare', first.run, second.run, '--json')).stdout)
    expect(compared.inputs).toEqual([{ key: 'settings.epochs', values: [2, 3] }])
    const found = JSON.parse((await terminal.run('runs', 'search', 'settings.epochs=3', '--json')).stdout)
    expect(found.map(({ run }: { run: string }) => run)).toEqual([second.run])
    expect((await terminal.run('eval', first.run)).stdout).toContain('the same as recorded')
    const fresh = JSON.parse((await terminal.run('eval', second.run, '--seed', '77', '--json')).stdout)
    expect(fresh).toMatchObject({ same: false, seed: 77, against: first.run })
    expect((await terminal.run('export', 'pole', '--format', 'tfjs', '--out', 'out', '--json')).stdout).toContain(
      'group1-shard1of1.bin',
    )
    // With a champion the same configuration is another run: what it is held against is one of its inputs.
    expect(JSON.parse((await terminal.run('train', 'train.yaml', '--plan', '--json')).stdout)).toMatchObject({
      champion: first.run,
      run: expect.not.stringContaining(first.run),
    })
  })

  it('read an export back, which scores to the digit as its run recorded, and refuse one that is not the run’s', async () => {
    const { terminal, train, dir, write } = await trained()
    const [first, second] = [await train('train.yaml'), await train('other.yaml')]
    const file = (name: string) => join(dir, 'out', name)
    const whole = async () => (await terminal.run('export', first.run, '--format', 'safetensors', '--out', 'out')).code
    const again = async (...more: string[]) => terminal.run('eval', ...more, '--from', 'out', '--json')
    expect(await whole()).toBe(0)
    const known = JSON.parse((await terminal.run('eval', first.run, '--json')).stdout)
    expect(JSON.parse((await again()).stdout)).toEqual(known)
    expect(known).toMatchObject({ run: first.run, same: true, episodes: 10 })
    const refused = async (code: string, said: string, ...more: string[]) => {
      const { code: exit, stdout } = await again(...more)
      const { error } = JSON.parse(stdout)
      expect({ exit, code: error.code, said: error.message, hint: error.hint }).toEqual({
        exit: 2,
        code,
        said: expect.stringContaining(said),
        hint: expect.stringContaining('--format safetensors'),
      })
    }
    await refused('VT_EXPORT_FOREIGN', `and run ${second.run} wrote `, second.run)
    const [model, weights] = [await readFile(file('model.json'), 'utf8'), await readFile(file('policy.safetensors'))]
    await writeFile(file('policy.safetensors'), weights.subarray(0, -4))
    await refused('VT_EXPORT_DAMAGED', `has ${weights.length - 4} bytes that are not the ${weights.length} of run ${first.run}`)
    // Edited and sealed again, so that the two files agree with each other.
    const bent = Buffer.from(weights)
    bent[bent.length - 1] = 0x11
    const sealed = model.replace(/"sha256":"[0-9a-f]{64}"/, `"sha256":"${createHash('sha256').update(bent).digest('hex')}"`)
    await write({ 'out/model.json': sealed })
    await writeFile(file('policy.safetensors'), bent)
    await refused('VT_EXPORT_FOREIGN', 'no run here wrote ')
    await refused('VT_EXPORT_FOREIGN', `and run ${first.run} wrote `, first.run)
    expect(await whole()).toBe(0)
    await rm(file('policy.safetensors'))
    await refused('VT_EXPORT_DAMAGED', 'policy.safetensors is missing')
    await rm(file('model.json'))
    await refused('VT_EXPORT_DAMAGED', 'out holds no model.json')
    expect(await terminal.run('eval')).toMatchObject({ code: 2, stderr: expect.stringContaining('name a run, or an export') })
  })

  it('refuse to promote what did not pass, or was trained from a dirty tree', async () => {
    const { terminal, train, commitRun, dir } = await trained()
    await appendFile(join(dir, 'README.md'), 'changed\n')
    const dirty = await train('train.yaml')
    await commitRun('Train from a dirty tree')
    expect(await terminal.run('policy', 'promote', dirty.run)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('changes that were not committed'),
    })
    await writeFile(join(dir, 'bad.yaml'), TRAIN.replace('at: 5', 'at: 400'))
    const rejected = await train('bad.yaml')
    await commitRun('A rejected run is evidence')
    expect(await terminal.run('policy', 'promote', rejected.run)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was judged "fail", so it promotes nothing'),
    })
    expect((await terminal.run('policy', 'show')).stdout).toBe('nothing was promoted yet\n')
    // The tree is clean by now: the same numbers again are those of what is committed.
    expect(await train('train.yaml')).toMatchObject({ run: dirty.run, written: true })
    await commitRun('Train from a clean tree')
    expect((await terminal.run('policy', 'promote', dirty.run)).code).toBe(0)
  })

  it('tell what was odd about a run that did not pass, and --fix goes on to another fix where one did not help', async () => {
    const { terminal, dir, git, commit } = await trained()
    // A step size with which the policy is certain after an update, of the wrong thing.
    const odd = TRAIN.replace('0.01 # high', '0.9').replace('totalSteps: 512', 'totalSteps: 4096').replace('at: 5', 'at: 400')
    await commit({ 'odd.yaml': odd.replace('name: pole', 'name: odd') }, 'Odd')
    const fix = async () => (await git.text(['log', '-1', '--format=%s'])).trim()
    const told = await terminal.run('train', 'odd.yaml')
    expect(told.stdout).toMatch(/\n {2}noticed T10[123] [^\n]+: seed 1, step \d+: /)
    expect(told.stdout).toMatch(/\nnext: [^\n]+: valuetrain train odd\.yaml --fix\n$/)
    const diagnosis = await readFile(diagnosisFile(join(dir, '.git', 'valuetrain'), 'odd'), 'utf8')
    expect((await terminal.run('train', 'odd.yaml', '--fix')).code).toBe(0)
    const first = await fix()
    expect(first).toMatch(/^Fix T10[123] /)
    await writeFile(diagnosisFile(join(dir, '.git', 'valuetrain'), 'odd'), diagnosis)
    expect((await terminal.run('train', 'odd.yaml', '--fix')).code).toBe(0)
    const second = await fix()
    expect(second).toMatch(/^Fix T10[123] /)
    expect(second).not.toBe(first)
    // A run that passes is past what failed before.
    await writeFile(diagnosisFile(join(dir, '.git', 'valuetrain'), 'pole'), diagnosis)
    expect((await terminal.run('train', 'train.yaml')).code).toBe(0)
    expect((await terminal.run('train', 'train.yaml', '--fix')).stderr).toContain('nothing failed while pole was trained here')
  })

  it('list and find the sound runs beside one that was edited, and name that one', async () => {
    const { terminal, train, dir } = await trained()
    const [first, second] = [await train('train.yaml'), await train('other.yaml')]
    await appendFile(join(dir, second.folder, 'REPORT.md'), 'better\n')
    const alone = expect.stringContaining(`"run":"${first.run}"`)
    const named = expect.stringContaining(`run ${second.run} is not as it was written: REPORT.md was changed`)
    expect(await terminal.run('runs', 'list', '--json')).toMatchObject({ code: 3, stdout: alone, stderr: named })
    expect(await terminal.run('runs', 'search', 'pole', '--json')).toMatchObject({ code: 3, stdout: alone, stderr: named })
    await appendFile(join(dir, first.folder, 'REPORT.md'), 'better\n')
    const both = expect.stringContaining('restore them with `git restore .valuetrain/training`')
    expect(await terminal.run('runs', 'list')).toMatchObject({ code: 3, stdout: 'no runs\n', stderr: both })
    await writeFile(join(dir, '.git/valuetrain/training', first.run, 'order.json'), '{')
    const two = await terminal.run('train', 'train.yaml', '--resume', first.run)
    expect(two).toMatchObject({ code: 2, stderr: expect.stringContaining('and train.yaml is something else') })
    const torn = expect.stringContaining('its order.json is no JSON')
    expect(await terminal.run('train', '--resume', first.run)).toMatchObject({ code: 3, stderr: torn })
  })

  it('name both records and the way out when two branches promoted, and settle it', async () => {
    const { terminal, train, commitRun, git } = await trained()
    const [first, second] = [await train('train.yaml'), await train('other.yaml')]
    await commitRun('Train')
    await git.run(['switch', '--quiet', '--create', 'left'])
    expect((await terminal.run('policy', 'promote', first.run)).stdout).toContain('is on main')
    await git.run(['switch', '--quiet', 'main'])
    expect((await terminal.run('policy', 'promote', second.run)).code).toBe(0)
    await git.run(['merge', '--quiet', '--no-edit', 'left'])
    const { code, stderr } = await terminal.run('policy', 'show')
    expect(code).toBe(2)
    expect(stderr).toContain('two records say what the champion of pole is')
    const command = /`valuetrain (policy promote [^`]+)`/.exec(stderr)?.[1] as string
    expect((await terminal.run(...command.split(' '))).code).toBe(0)
    expect((await terminal.run('policy', 'show')).code).toBe(0)
  })

  it('--fix changes one value of the file, keeps the comments, and commits that alone', async () => {
    const { terminal, dir, git, write } = await trained()
    const file = diagnosisFile(join(dir, '.git', 'valuetrain'), 'pole')
    const diagnosis = {
      code: 'T101',
      title: 'diverged',
      fixes: [
        { does: 'look', patch: {} },
        { does: 'halve the learning rate', patch: { 'settings.learningRate': 0.005 } },
      ],
    }
    expect(await terminal.run('train', 'train.yaml', '--fix')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('nothing failed while pole was trained here'),
    })
    await write({ [file.slice(dir.length + 1)]: JSON.stringify(diagnosis), 'note.txt': 'not mine to commit' })
    expect((await terminal.run('train', 'train.yaml', '--fix')).code).toBe(0)
    expect(await readFile(join(dir, 'train.yaml'), 'utf8')).toBe(TRAIN.replace('0.01 # high', '0.005 # high'))
    expect(await git.text(['show', '--stat', '--format=%s', 'HEAD'])).toContain(
      'Fix T101 diverged: halve the learning rate\n\n train.yaml | 2 +-',
    )
    expect((await terminal.run('train', 'train.yaml', '--fix')).code).toBe(2)
    await appendFile(join(dir, 'train.yaml'), '# mine\n')
    await write({ [file.slice(dir.length + 1)]: JSON.stringify(diagnosis) })
    expect(await terminal.run('train', 'train.yaml', '--fix')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('has changes that are not committed'),
    })
  })

  it('sweep goes on where it was stopped, and looks at no episode of the verdict', async () => {
    const { terminal, write } = await trained()
    const sweep = (trials: number) =>
      `config: train.yaml\nmethod: random\nparallel: 2\ntrials: ${trials}\nspace:\n  learningRate: { kind: real, low: 0.001, high: 0.1, log: true }\n`
    await write({ 'sweep.yaml': sweep(4), 'wrong.yaml': sweep(4).replace('learningRate', 'learnRate') })
    const whole = JSON.parse((await terminal.run('sweep', 'sweep.yaml', '--json')).stdout.trim().split('\n').at(-1) as string)
    expect(whole).toMatchObject({ finished: true, resumed: 0, results: { length: 4 } })
    const again = JSON.parse((await terminal.run('sweep', 'sweep.yaml', '--json')).stdout.trim().split('\n').at(-1) as string)
    expect(again).toEqual({ ...whole, resumed: 4 })
    expect(await terminal.run('sweep', 'wrong.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('space.learnRate is no setting of ppo'),
    })
  })

  it('reward test says what is wrong with a reward', async () => {
    const { terminal, write } = await trained()
    await write({
      'samples.yaml':
        'episodes:\n  - { id: a, measures: { score: 1, seconds: 60, usd: 1 }, above: [b] }\n  - { id: b, measures: { score: 1, seconds: 60, usd: 1 } }\n',
    })
    const { code, stdout } = await terminal.run('reward', 'test', 'samples.yaml')
    expect([code, stdout]).toEqual([1, expect.stringContaining('which is not above b')])
  })

  it('diagnose reads a trainer’s log, and --fix commits the first fix that is a change of the file', async () => {
    const { terminal, dir, git } = await trained()
    await writeFile(join(dir, 'trainer.log'), 'step 3\ntorch.OutOfMemoryError: CUDA out of memory\n')
    const told = await terminal.run('diagnose', 'train.yaml', 'trainer.log')
    expect(told.code).toBe(1)
    expect(told.stdout.split('\n').slice(0, 3)).toEqual([
      'T202 out of memory on the graphics card: Weights, batch and cache together are more than the card holds.',
      '  line 2: torch.OutOfMemoryError: CUDA out of memory',
      '  fix: halve the minibatch',
    ])
    expect(told.stdout).toContain('next: valuetrain train train.yaml --fix\n')
    expect((await terminal.run('train', 'train.yaml', '--fix')).code).toBe(0)
    expect(await readFile(join(dir, 'train.yaml'), 'utf8')).toBe(TRAIN.replace('minibatch: 128', 'minibatch: 64'))
    expect(await git.text(['log', '-1', '--format=%(trailers:key=Valuetrain-Fix,valueonly)'])).toBe('T202\n')
  })

  it('diagnose holds a data file against the other split, and says when nothing is wrong', async () => {
    const { terminal, dir } = await trained()
    await writeFile(join(dir, 'a.csv'), 'x,y\n1,2\n3,4\n')
    await writeFile(join(dir, 'b.csv'), 'x,y\n3,4\n')
    const data = ['diagnose', 'train.yaml', 'a.csv', '--kind', 'data']
    expect(await terminal.run(...data)).toMatchObject({ code: 0, stdout: 'nothing of the catalogue is in a.csv\n' })
    const { code, stdout } = await terminal.run(...data, '--held', 'b.csv', '--json')
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({
      code: 1,
      fix: null,
      diagnoses: [{ code: 'T302', evidence: ['a.csv: 1 rows are in both splits; line 3 is line 2 of b.csv'] }],
    })
  })
})
