import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findPrivate, type PrivateFacts, relativise, relativiseDeep } from '../../core/privacy.ts'

const REPO = '/home/adalovelace/code/engine'
const TREES = '/home/adalovelace/code/engine.worktrees'
const WORKTREE = `${TREES}/build_42`
const ROOTS = [REPO, TREES, WORKTREE]
const KNOWN: PrivateFacts = {
  home: '/home/adalovelace',
  user: 'adalovelace',
  host: 'analytical.example.org',
  roots: ROOTS,
  pids: [8812],
}
const rules = (text: string) => findPrivate(text, KNOWN).map(({ rule }) => rule)

describe('making paths relative', () => {
  const cases: [string, string][] = [
    [`${REPO}/src/a.ts:3:7`, 'src/a.ts:3:7'],
    [`at run (${WORKTREE}/src/a.ts:3:7)`, 'at run (src/a.ts:3:7)'],
    [`file://${REPO}/src/a%20b.ts`, 'src/a b.ts'],
    [`cwd ${REPO}`, 'cwd .'],
    [`"${REPO}/"`, '"."'],
    [`see ${REPO}/README.md.`, 'see README.md.'],
    [`${REPO}-other/x`, '<outside>'],
    ['/home/adalovelace/.ssh/config', '<outside>'],
    ['/Users/ada/x and /tmp/vt-1/y', '<outside> and <outside>'],
    ['/var/folders/ab/T/x', '<outside>'],
    ['C:\\Users\\Ada\\code\\x.ts is gone', '<outside> is gone'],
    ['"C:/Users/Ada/x"', '"<outside>"'],
    ['\\\\server1\\share\\x', '<outside>'],
    ['PATH=/usr/local/bin:/usr/bin', 'PATH=<outside>:<outside>'],
    ['#!/usr/bin/env node', '#!/usr/bin/env node'],
    ['> /dev/null 2>&1', '> /dev/null 2>&1'],
    ['GET /api/users returned 500', 'GET /api/users returned 500'],
    ['https://example.com/home/ada/x', 'https://example.com/home/ada/x'],
    ['src/home/x.ts and ./tmp/y and ../opt/z', 'src/home/x.ts and ./tmp/y and ../opt/z'],
    ['and/or, 1/2, <br/>, @scope/tmp/x', 'and/or, 1/2, <br/>, @scope/tmp/x'],
    ['a regex /^x$/ and 10:30', 'a regex /^x$/ and 10:30'],
    ['note: a b', 'note: a b'],
  ]
  it.each(cases)('%s', (text, expected) => {
    expect(relativise(text, ROOTS)).toBe(expected)
  })

  it('works for roots on any drive or first folder', () => {
    expect(relativise('D:\\code\\engine\\src\\a.ts failed', ['D:\\code\\engine'])).toBe('src/a.ts failed')
    expect(relativise('/data9/engine/src/a.ts and /data9/other/x', ['/data9/engine'])).toBe('src/a.ts and <outside>')
  })

  it('reaches every string of data', () => {
    expect(relativiseDeep({ a: [`${REPO}/x`, 7, { b: null, c: '/tmp/y/z' }] }, ROOTS)).toEqual({
      a: ['x', 7, { b: null, c: '<outside>' }],
    })
  })

  it('leaves no path to find, and doing it again changes nothing', () => {
    const segment = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,8}$/)
    const tail = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
    const path = fc.oneof(
      fc
        .tuple(fc.constantFrom(...ROOTS, '/tmp', '/home/other', '/opt', '/Users/x', 'C:/Users/y', 'file:///var/z'), tail)
        .map((parts) => parts.join('/')),
      tail,
      fc.constantFrom('https://example.com/tmp/x', '/api/x', 'word', REPO, '/dev/null'),
    )
    const glue = fc.constantFrom(' ', ', ', '\n', ' "', '" ', ' (', ') ', ': ', '=')
    const text = fc.array(fc.tuple(path, glue)).map((parts) => parts.flat().join(''))
    fc.assert(
      fc.property(text, (source) => {
        const once = relativise(source, ROOTS)
        expect(relativise(once, ROOTS)).toBe(once)
        expect(findPrivate(once, { home: KNOWN.home as string, roots: ROOTS })).toEqual([])
      }),
      { numRuns: 400 },
    )
  })
})

describe('finding what tells of a machine', () => {
  it('names rule and line and never repeats the private text', () => {
    const text = `ok\n${REPO}/x on analytical\nby adalovelace, pid 77\nprocess 8812, process 5`
    const findings = findPrivate(text, KNOWN)
    expect(findings.map(({ rule, line }) => [rule, line])).toEqual([
      ['private-path', 2],
      ['private-user', 2],
      ['private-host', 2],
      ['private-user', 3],
      ['private-pid', 3],
      ['private-pid', 4],
    ])
    expect(JSON.stringify(findings)).not.toMatch(/adalovelace|analytical|8812/)
  })

  it('finds paths in JSON, Windows paths and file addresses', () => {
    expect(rules(JSON.stringify({ cwd: 'C:\\Users\\x\\y' }))).toEqual(['private-path'])
    expect(rules(JSON.stringify({ cwd: '/opt/build/x' }))).toEqual(['private-path'])
    expect(rules('import file:///srv/x.mjs')).toEqual(['private-path'])
  })

  it('finds nothing in relative paths, routes, addresses, and names that every machine has', () => {
    const common: PrivateFacts = { home: '/root', user: 'root', host: 'localhost', roots: [], pids: [42] }
    for (const text of [
      'root cause on localhost',
      'issue 42 of 42',
      'src/root.ts',
      'GET /api/v1/x',
      '#!/bin/sh',
      'a process of 42 steps',
    ]) {
      expect({ text, found: findPrivate(text, common) }).toEqual({ text, found: [] })
    }
    expect(rules('analytically')).toEqual([])
  })
})
