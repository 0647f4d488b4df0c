import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldTitle, slugOf } from '../../forge/index.ts'

describe('a title', () => {
  test('is one line, whatever line breaks and control characters it came with', () => {
    expect(foldTitle('  fix\r\nthe\u2028rounding\u0007 \t now  and then\n')).toBe('fix the rounding now  and then')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(/[^\p{Cc}\s]/u.test(text))
        const folded = foldTitle(text)
        expect(folded).not.toMatch(/[\p{Cc}\u2028\u2029]/u)
        expect(foldTitle(folded)).toBe(folded)
      }),
    )
  })

  test('that is empty is refused', () => {
    expect(() => foldTitle(' \n\t')).toThrow(expect.objectContaining({ code: 'VT_ISSUE_TITLE' }))
  })
})

describe('a slug', () => {
  test.each([
    ['Parcels to Croatia are "overseas"', 'parcels-to-croatia-are-overseas'],
    ['$(rm -rf ~) ../../etc/passwd', 'rm-rf-etc-passwd'],
    ['--force', 'force'],
    ['🚀🚀', 'issue'],
    ['Äpfel & Çağrı', 'apfel-cagr'],
    ['evil\u202Egnp.exe\u200B', 'evilgnp-exe'],
    ['one two three four five six seven eight nine ten eleven', 'one-two-three-four-five-six-seven-eight-nine-ten'],
  ])('of %j is %j', (title, slug) => {
    expect(slugOf(title)).toBe(slug)
  })

  test('of one endless word is its beginning', () => {
    expect(slugOf('x'.repeat(10_000))).toBe('x'.repeat(48))
  })

  test('is safe and short for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.string({ unit: 'grapheme' })), (title) => {
        const slug = slugOf(title)
        expect(slug).toMatch(/^[a-z0-9]+(?:-[a-z0-9]+)*$/)
        expect(slug.length).toBeLessThanOrEqual(48)
      }),
    )
  })
})
