import { describe, expect, it } from 'vitest'
import { CONTAINER_FILE, containerFile } from '../../templates/container.ts'

const nothing = { source: 'nothing', read: async () => undefined, list: async () => [] }

/** Returns the instructions of a container file, lines that go on joined, comments left out. */
function instructionsOf(text: string): { name: string; rest: string }[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'))
  const joined = lines.join('\n').replace(/\\\n\s*/g, ' ')
  return joined
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: line.split(' ')[0] as string, rest: line.slice(line.indexOf(' ') + 1) }))
}

describe('the container file', () => {
  it('builds on one version of Node, brings a jail, and runs nothing as root', async () => {
    const { content = '', action, path } = await containerFile('1.2.3', nothing)
    expect([action, path]).toEqual(['create', CONTAINER_FILE])
    const steps = instructionsOf(content)
    expect(steps.map(({ name }) => name)).toEqual(['FROM', 'RUN', 'RUN', 'RUN', 'USER', 'WORKDIR', 'ENTRYPOINT', 'CMD'])
    const said = (name: string) => steps.filter((step) => step.name === name).map(({ rest }) => rest)
    expect(said('FROM')).toEqual([expect.stringMatching(/^node:20-bookworm-slim$/)])
    expect(said('RUN').join('\n')).toMatch(/install .*\bbubblewrap\b.*\bgit\b/)
    expect(said('RUN').join('\n')).toContain('valuetrain@1.2.3')
    expect(said('USER')).toEqual(['node'])
    expect(JSON.parse(said('ENTRYPOINT')[0] as string)).toEqual(['valuetrain'])
    expect(JSON.parse(said('CMD')[0] as string)).toEqual(['doctor', '--jail'])
    expect(content).not.toMatch(/\{\{|\.sock\b|--privileged|--cap-add/)
  })

  it('is kept where there is one', async () => {
    const reader = { ...nothing, read: async () => 'FROM scratch\n' }
    expect(await containerFile('1.2.3', reader)).toEqual({ path: CONTAINER_FILE, action: 'keep', why: 'is there' })
  })
})
