import { describe, expect, it } from 'vitest'
import { defaultConfig, parseConfig } from '../../core/config.ts'

describe('the configuration', () => {
  it('has a default for everything', () => {
    expect(parseConfig('')).toEqual(defaultConfig())
    expect(defaultConfig()).toMatchObject({ forge: 'local', merge: 'person', attempts: 3, lease: { ttlMs: 90_000 } })
  })

  it('names an unknown key and the nearest one, at any depth', () => {
    expect(() => parseConfig('pipelin: routine')).toThrow(
      '.valuetrain/config.yaml: unknown key "pipelin" (did you mean "pipeline"?)',
    )
    expect(() => parseConfig('workspace:\n  setpu: []')).toThrow('unknown key "workspace.setpu" (did you mean "setup"?)')
  })

  it('names the key and the words it takes', () => {
    expect(() => parseConfig('forge: gitbub')).toThrow('forge: expected one of local, github (did you mean "github"?)')
  })

  it.each([
    ['lease: { ttlMs: 90s }', 'lease.ttlMs: expected a number, not "90s"'],
    ['lease: { ttlMs: -1 }', 'lease.ttlMs: has to be at least'],
    ['training: { gpu: { ssh: { box: { dir: x } } } }', 'training.gpu.ssh.box.host is missing'],
    ['router: { arms: ["recipe:format"] }', 'router.arms.0: names no recipe (there are no `recipes`)'],
    [
      'recipes: { format: [[f]] }\nrouter: { arms: ["agent:a", "recipe:fromat"] }',
      'router.arms.1: names no recipe (did you mean "format"?)',
    ],
    ['- a', 'is not a mapping'],
  ])('says in words what is wrong with "%s"', (text, message) => {
    expect(() => parseConfig(text)).toThrow(message)
  })

  it('refuses commands written as a shell string', () => {
    expect(() => parseConfig('commands:\n  test: npm test')).toThrow('commands.test')
  })

  it('refuses YAML that explodes', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`),
    ]
    expect(() => parseConfig(bomb.join('\n'))).toThrow(expect.objectContaining({ code: 'VT_YAML' }))
  })
})
