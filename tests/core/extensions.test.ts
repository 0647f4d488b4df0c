import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { defaultConfig } from '../../core/config.ts'
import { loadExtensions } from '../../core/extensions.ts'
import { makeRepository } from '../support/repository.ts'

const extensions = (gates: string[], runtimes: string[] = []) => ({
  extensions: { ...defaultConfig().extensions, gates, runtimes },
})
const GATE =
  "export const gate = { id: 'mine', title: 'Mine', why: 'because', subject: 'tree', kind: { type: 'command', argv: ['true'] } }\n"
const JUDGED =
  "export const gate = { id: 'own', title: 'Own', why: 'because' }\nexport const judge = () => ({ verdict: 'pass', reasons: ['looked'] })\n"

describe('extensions', () => {
  it('are the modules that the configuration names, and no others', async () => {
    const { dir } = await makeRepository({ 'x/a.mjs': GATE, 'x/b.mjs': JUDGED, 'x/c.mjs': "throw new Error('loaded')" })
    const loaded = await loadExtensions(dir, extensions(['x/a.mjs', 'x/b.mjs']))
    expect(loaded.gates.map(({ id, subject, kind }) => [id, subject, kind.type])).toEqual([
      ['mine', 'tree', 'command'],
      ['own', 'range', 'builtin'],
    ])
    expect([...(loaded.judges?.keys() ?? [])]).toEqual(['own'])
    expect(await loadExtensions(dir, extensions([]))).toEqual({ gates: [], runtimes: [], judges: new Map() })
  })

  it('change the specification of a gate when its code changes, so that no earlier result is repeated', async () => {
    const { dir } = await makeRepository({ 'x/b.mjs': JUDGED })
    const [before] = (await loadExtensions(dir, extensions(['x/b.mjs']))).gates
    await writeFile(join(dir, 'x/b.mjs'), `${JUDGED}// changed\n`)
    const [after] = (await loadExtensions(dir, extensions(['x/b.mjs']))).gates
    expect(after).not.toEqual(before)
    expect({ ...after, kind: undefined }).toEqual({ ...before, kind: undefined })
  })

  const cases: [string, string, string][] = [
    ['is not there', '', 'extension x/none.mjs is not there'],
    ['is no module', 'x', 'extension x/a.txt is not a JavaScript module'],
    ['lies outside', 'x', 'extension ../out.mjs lies outside the repository'],
    ['does not parse', 'export const gate = {', 'extension x/a.mjs does not load: '],
    ['throws', "throw new Error('no luck')", 'extension x/a.mjs does not load: no luck'],
    ['exports something else', 'export const gates = []', 'extension x/a.mjs does not export `gate` (did you mean "gates"?)'],
    ['has an unknown key', GATE.replace('why:', 'whi:'), 'extension x/a.mjs `gate`: '],
    [
      'has a judge that is no function',
      `${GATE}export const judge = 1\n`,
      'extension x/a.mjs exports a `judge` that is no function',
    ],
    [
      'judges less than it reads',
      JUDGED.replace("why: 'because'", "why: 'because', subject: 'tree'"),
      'extension x/a.mjs asks for the subject "tree"',
    ],
  ]
  it.each(cases)('are refused by name: a gate that %s', async (_, text, message) => {
    const { dir } = await makeRepository({ 'x/a.mjs': text, 'x/a.txt': text })
    const path = message.split(' ')[1] as string
    const error = await loadExtensions(dir, extensions([path])).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'VT_EXTENSION', kind: 'config', message: expect.stringContaining(message) })
  })

  it('are refused when two bring one id, and when a runtime lacks a part', async () => {
    const { dir } = await makeRepository({
      'a.mjs': GATE,
      'b.mjs': GATE,
      'r.mjs': "export const runtime = { id: 'r', title: 'R', probe() {}, accepts() {} }",
    })
    await expect(loadExtensions(dir, extensions(['a.mjs', 'b.mjs']))).rejects.toThrow(
      'extension b.mjs brings the gate "mine", which another module brings, too',
    )
    await expect(loadExtensions(dir, extensions([], ['r.mjs']))).rejects.toThrow(
      'extension r.mjs exports a runtime without the function `turn`',
    )
  })
})
