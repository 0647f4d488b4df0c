import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PAGES } from '../../scripts/reference/index.ts'
import { ROOT } from '../support/sources.ts'

describe('a generated page of the documentation', () => {
  it.each(PAGES.map((page) => [page.file, page] as const))(
    '%s says what the code says; `npm run docs` writes it',
    async (file, page) => {
      expect(await readFile(join(ROOT, file), 'utf8').catch(() => 'there is no such file')).toBe(await page.render())
    },
  )
})
