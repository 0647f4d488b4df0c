import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { testEnvironment } from '../support/repository.ts'
import { openTerminal } from './terminal.ts'

const terminal = openTerminal({ dir: '/nonexistent', env: testEnvironment('/nonexistent') })

async function script(shell: string): Promise<string> {
  return (await terminal.run('completion', shell)).stdout
}

/** Completes the last word of a line in a real bash. */
async function complete(...words: string[]): Promise<string[]> {
  const line = ['valuetrain', ...words].map((word) => `'${word}'`).join(' ')
  const program = `${await script('bash')}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _valuetrain; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', program])
  return stdout.split('\n').filter((word) => word !== '')
}

describe('completion', () => {
  it('completes commands, topics, flags and values in bash', async () => {
    expect(await complete('se')).toEqual(['serve', 'session'])
    expect(await complete('session', '')).toEqual(['show', 'log', 'verify', 'rollback'])
    expect(await complete('session', 've')).toEqual(['verify'])
    expect(await complete('run', '42', '--me')).toEqual(['--merge'])
    expect(await complete('run', '42', '--merge', '')).toEqual(['auto', 'person'])
    expect(await complete('mode', 'show', 'd')).toEqual(['discover', 'design', 'deliver'])
    expect(await complete('completion', 'z')).toEqual(['zsh'])
  })

  it('names every command for every shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const text = await script(shell)
      for (const word of ['rollback', 'override', 'journey', 'require-anchor']) expect(text, shell).toContain(word)
    }
  })
})
