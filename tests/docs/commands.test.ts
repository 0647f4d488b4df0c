import { describe, expect, it } from 'vitest'
import { globalFlags } from '../../bin/command.ts'
import { lookUp } from '../../bin/commands.ts'
import { commandLinesOf, readDocuments } from '../support/documents.ts'

describe('a command line in the documents', () => {
  it('names a command that there is, with flags that it takes', async () => {
    const documents = [...(await readDocuments())].filter(([file]) => !file.startsWith('docs/reference/'))
    const wrong: string[] = []
    for (const [file, text] of documents) {
      for (const line of commandLinesOf(text)) {
        const problem = await problemOf(line)
        if (problem !== undefined) wrong.push(`${file}: valuetrain ${line}: ${problem}`)
      }
    }
    expect(wrong).toEqual([])
  })

  it('is found wrong when the command or a flag is', async () => {
    expect(commandLinesOf('Run `valuetrain fly --high`.\n\n```sh\nnpx valuetrain run 42 # now\n```\n')).toEqual([
      'run 42',
      'fly --high',
    ])
    expect(await problemOf('fly --high')).toBe('no such command')
    expect(await problemOf('status --loudly')).toBe('no flag --loudly')
  })
})

async function problemOf(line: string): Promise<string | undefined> {
  const words = line.split(/\s+/)
  const lookup = lookUp(words)
  if (lookup.found === 'topic') return undefined
  if (lookup.found === 'nothing') return 'no such command'
  const { default: spec } = await lookup.entry.load()
  const known = new Set([...Object.keys(spec.flags ?? {}), ...Object.keys(globalFlags(spec)), 'help'])
  const flags = lookup.rest.flatMap((word) => /^\[?--([a-z-]+)/.exec(word)?.[1] ?? [])
  const unknown = flags.find((flag) => !known.has(flag))
  return unknown === undefined ? undefined : `no flag --${unknown}`
}
