import { describe, expect, it } from 'vitest'
import { defaultConfig } from '../../core/config.ts'
import { MODES, ROLES } from '../../core/contracts/names.ts'
import { openGit } from '../../core/git.ts'
import { readerAt } from '../../core/reader.ts'
import { builtinGates } from '../../gates/index.ts'
import { checkGateNames, EDGES, itemsOf, loadMethod, parseMode, readModeText } from '../../modes/index.ts'
import { makeRepository } from '../support/repository.ts'
import { methodOf } from './method.ts'

const build = await readModeText('build')
const builtin = await methodOf()

describe('the built-in methodology', () => {
  it('has nine modes, seven roles and three pipelines, and its gates exist', () => {
    expect([...builtin.modes.keys()]).toEqual([...MODES])
    expect([...builtin.roles.keys()]).toEqual([...ROLES])
    expect([...builtin.pipelines.keys()]).toEqual(['routine', 'product', 'ml'])
    checkGateNames(
      builtin,
      builtinGates.map(({ id }) => id),
    )
  })

  it('gives each mode 6 to 14 items with ids of their own, roles that work there, and the whole of the edge table', () => {
    for (const mode of builtin.modes.values()) {
      const ids = itemsOf(mode).map(({ id }) => id)
      expect(ids.length, mode.id).toBeGreaterThanOrEqual(6)
      expect(ids.length, mode.id).toBeLessThanOrEqual(14)
      expect(new Set(ids).size, mode.id).toBe(ids.length)
      expect(
        mode.roles.every((role) => builtin.roles.get(role)?.modes.includes(mode.id)),
        mode.id,
      ).toBe(true)
      expect({ forward: mode.transitions.forward, back: mode.transitions.back }, mode.id).toEqual(EDGES[mode.id])
      expect(mode.body.split(/\s+/).length, `${mode.id} tells how to work`).toBeGreaterThan(150)
    }
  })

  it('gives each role only tools that one of its modes allows', () => {
    const always = ['read', 'write', 'git', 'forge']
    for (const role of builtin.roles.values()) {
      const allowed = [...always, ...role.modes.flatMap((mode) => builtin.modes.get(mode)?.tools ?? [])]
      expect(
        role.tools.filter((tool) => !allowed.includes(tool)),
        role.id,
      ).toEqual([])
    }
  })

  it('asks in the routine for a change, the named commands and a summary, and for nothing of a person', () => {
    const phases = builtin.pipelines.get('routine')?.phases ?? []
    expect(phases.map(({ name, gates, works, joined }) => ({ name, gates, works, joined }))).toEqual([
      { name: 'build', gates: ['change', 'lint', 'types', 'build', 'test'], works: true, joined: false },
      { name: 'evaluate', gates: ['lint', 'types', 'build', 'test'], works: false, joined: true },
      { name: 'deliver', gates: ['summary', 'lint', 'types', 'build', 'test'], works: false, joined: true },
    ])
    for (const { mode, items, gates } of phases) {
      const own = builtin.modes.get(mode)
      expect(items, 'a phase without a list would ask all items of its mode').toBeDefined()
      const asked = (own ? itemsOf(own) : [])
        .filter(({ id }) => items?.includes(id))
        .map(({ evidence }) => (evidence.kind === 'gate' ? evidence.gate : evidence.kind))
      expect(asked.filter((gate) => gate !== 'commands' && !gates?.includes(gate))).toEqual([])
    }
  })
})

describe('overrides of a repository', () => {
  it('replace a mode, a role and a pipeline by id and are listed', async () => {
    const method = await methodOf({
      '.valuetrain/modes/build.md': build.replace('title: Build', 'title: Our build'),
      '.valuetrain/modes/README.md': '# Notes',
      '.valuetrain/pipelines/quick.yaml':
        'schema: 1\nid: quick\ntitle: Quick\npurpose: Quick.\nphases: [{ name: build, mode: build, next: null }]\n',
    })
    expect(method.modes.get('build')?.title).toBe('Our build')
    expect(method.modes.get('design')).toEqual(builtin.modes.get('design'))
    expect([...method.pipelines.keys()]).toEqual(['routine', 'product', 'ml', 'quick'])
    expect(method.overrides).toEqual(['.valuetrain/modes/build.md', '.valuetrain/pipelines/quick.yaml'])
  })

  it('are read from a commit, not from the working tree', async () => {
    const repository = await makeRepository({ '.valuetrain/modes/build.md': build.replace('title: Build', 'title: Committed') })
    await repository.write({ '.valuetrain/modes/build.md': build.replace('title: Build', 'title: Uncommitted') })
    const method = await loadMethod(readerAt(openGit(repository.dir, repository.env), 'HEAD'), defaultConfig())
    expect(method.modes.get('build')?.title).toBe('Committed')
  })

  it('may lie elsewhere when the configuration names them', async () => {
    const files = { 'docs/build.md': build.replace('title: Build', 'title: Elsewhere') }
    expect((await methodOf(files, ['docs/build.md'])).modes.get('build')?.title).toBe('Elsewhere')
    await expect(methodOf({}, ['docs/build.md'])).rejects.toThrow('extensions.modes: there is no file docs/build.md')
    const both = { ...files, '.valuetrain/modes/build.md': build }
    await expect(methodOf(both, ['docs/build.md'])).rejects.toThrow(
      'docs/build.md: id: .valuetrain/modes/build.md is the mode "build", too',
    )
  })
})

describe('a definition that is wrong', () => {
  const cases: [string, Record<string, string>, string][] = [
    [
      'an unknown mode file',
      { '.valuetrain/modes/biuld.md': build },
      '.valuetrain/modes/biuld.md: there is no mode "biuld" (did you mean "build"?)',
    ],
    [
      'an unknown role file',
      { '.valuetrain/roles/studo.md': 'x' },
      '.valuetrain/roles/studo.md: there is no role "studo" (did you mean "studio"?)',
    ],
    [
      'a file that would not be read',
      { '.valuetrain/modes/build.yaml': 'x' },
      '.valuetrain/modes/build.yaml is not read: a mode is a file <id>.md',
    ],
    [
      'a name that is not the id',
      { '.valuetrain/modes/design.md': build },
      '.valuetrain/modes/design.md: id: "build" is not the file\'s name',
    ],
    [
      'an unknown key',
      { '.valuetrain/modes/build.md': build.replace('purpose:', 'purpse:') },
      'unknown key "purpse" (did you mean "purpose"?)',
    ],
    [
      'an unknown role',
      { '.valuetrain/modes/build.md': build.replace('[lab, studio]', '[lab, studo]') },
      'roles.1: expected one of',
    ],
    [
      'a role of other modes',
      { '.valuetrain/modes/build.md': build.replace('[lab, studio]', '[lab, ops]') },
      'roles: "ops" does not work in build',
    ],
    [
      'an edge that is not in the table',
      { '.valuetrain/modes/build.md': build.replace('forward: [evaluate]', 'forward: [deliver]') },
      'transitions.forward: no edge leads from build to deliver',
    ],
    [
      'a child state of another mode',
      { '.valuetrain/modes/build.md': build.replace('[dev, extract,', '[qa, extract,') },
      'children: "qa" is not a child state of build',
    ],
    [
      'an item that is there twice',
      { '.valuetrain/modes/build.md': build.replace('- id: tests', '- id: change') },
      'item "change": is there twice',
    ],
    [
      'a command item with nothing to run',
      { '.valuetrain/modes/build.md': build.replace('{ kind: command, command: test }', '{ kind: command }') },
      'item "tests": evidence: takes either `command` or `argv`',
    ],
    [
      'an unknown template',
      { '.valuetrain/modes/build.md': build.replaceAll('template: schema-spec.md', 'template: shema-spec.md') },
      'there is no template "shema-spec.md" (did you mean "schema-spec.md"?)',
    ],
    [
      'front matter that is not a mapping',
      { '.valuetrain/modes/build.md': '---\n- a\n---\nbody' },
      '.valuetrain/modes/build.md: front matter is not a mapping',
    ],
    [
      'front matter in another language',
      { '.valuetrain/modes/build.md': '---js\nmodule.exports = {}\n---\nbody' },
      'front matter in "js" is not read',
    ],
    [
      'no instructions',
      { '.valuetrain/modes/build.md': build.slice(0, build.indexOf('\n---\n', 4) + 5) },
      'there are no instructions below the front matter',
    ],
    [
      'a file that is far too large',
      { '.valuetrain/modes/build.md': `${build}${'x'.repeat(300_000)}` },
      '.valuetrain/modes/build.md is larger than 256 KiB',
    ],
  ]
  it.each(cases)('says so: %s', async (_, files, message) => {
    const error = await methodOf(files).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ kind: 'config', message: expect.stringContaining(message) })
  })

  it('never lets YAML explode', async () => {
    const bomb = `---\na: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
      .join('\n')}\n---\nbody`
    expect(() => parseMode(bomb, 'build.md')).toThrow(expect.objectContaining({ code: 'VT_YAML' }))
  })
})
