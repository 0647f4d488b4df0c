import { describe, expect, it } from 'vitest'
import { MODES } from '../../core/contracts/names.ts'
import { mayMove, movesFrom } from '../../modes/index.ts'

describe('the edge table', () => {
  it('is the methodology’s and nothing more', () => {
    expect(Object.fromEntries(MODES.map((mode) => [mode, movesFrom(mode)]))).toEqual({
      intake: ['intake', 'discover', 'scope'],
      discover: ['discover', 'intake', 'scope'],
      scope: ['scope', 'intake', 'discover', 'design'],
      design: ['design', 'scope', 'build'],
      build: ['build', 'design', 'evaluate'],
      evaluate: ['evaluate', 'design', 'build', 'deliver', 'improve'],
      deliver: ['deliver', 'build', 'operate'],
      operate: ['operate', 'evaluate', 'deliver', 'improve'],
      improve: ['improve', 'intake', 'build', 'evaluate', 'operate'],
    })
  })

  it('refuses what it does not list', () => {
    expect([mayMove('intake', 'build'), mayMove('build', 'deliver'), mayMove('deliver', 'evaluate')]).toEqual([
      false,
      false,
      false,
    ])
  })
})
