import { describe, expect, test } from 'vitest'
import { allowedTools, judgeTool } from '../../agents/index.ts'

const studio = { modes: ['design', 'build', 'deliver'], tools: ['read', 'write', 'git', 'run-code', 'run-tests'] } as const
const role = { modes: [...studio.modes], tools: [...studio.tools] }

describe('the tools of a role', () => {
  test('are its own as far as the mode allows them', () => {
    expect(allowedTools(role, { id: 'build', tools: ['run-code', 'run-tests'] })).toEqual([
      'read',
      'write',
      'git',
      'run-code',
      'run-tests',
    ])
    expect(allowedTools(role, { id: 'deliver', tools: ['run-tests', 'web-fetch'] })).toEqual([
      'read',
      'write',
      'git',
      'run-tests',
    ])
  })

  test('are none in a mode that is not its own', () => {
    expect(allowedTools(role, { id: 'intake', tools: ['run-code'] })).toEqual([])
  })

  test('are all that may be called, and the answer says why', () => {
    const place = { role: 'studio', mode: 'deliver', tools: ['read', 'write'] }
    expect(judgeTool(place, 'write')).toEqual({ allowed: true, why: 'the role studio may use write in deliver' })
    expect(judgeTool(place, 'web-fetch')).toEqual({
      allowed: false,
      why: 'the role studio may not use web-fetch in deliver (it may use read, write)',
    })
    expect(judgeTool({ ...place, tools: [] }, 'read')).toMatchObject({ allowed: false })
    expect(judgeTool(place, 'run-cod')).toEqual({ allowed: false, why: 'there is no tool "run-cod" (did you mean "run-code"?)' })
  })
})
