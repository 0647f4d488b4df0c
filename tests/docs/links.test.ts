import { existsSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readDocuments } from '../support/documents.ts'
import { ROOT } from '../support/sources.ts'

const documents = await readDocuments()

describe('the documents', () => {
  it('link to files and headings that are there', () => {
    const broken: string[] = []
    for (const [file, text] of documents) {
      for (const [, link = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(link)) continue
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? file : posix.normalize(posix.join(dirname(file), path))
        if (!existsSync(join(ROOT, target))) broken.push(`${file}: ${link}`)
        else if (anchor !== undefined && target.endsWith('.md') && !anchorsOf(documents.get(target) ?? '').has(anchor)) {
          broken.push(`${file}: ${link}`)
        }
      }
    }
    expect(broken).toEqual([])
  })

  it('number the decisions without a gap and give each its four parts', () => {
    const decisions = [...documents].filter(([file]) => /^docs\/decisions\/\d/.test(file))
    expect(decisions.map(([file]) => Number(/(\d{4})-/.exec(file)?.[1]))).toEqual(decisions.map((_, index) => index + 1))
    for (const [file, text] of decisions) {
      const number = /(\d{4})-/.exec(file)?.[1]
      expect([file, text.startsWith(`# ${number}. `), text.match(/^## .+$/gm)]).toEqual([
        file,
        true,
        ['## Context', '## Decision', '## Refused', '## Consequences'],
      ])
    }
  })

  it('name no machine, no home and no place outside the repository', () => {
    const named = [...documents].flatMap(([file, text]) =>
      [...text.matchAll(/(?:^|[\s("'`])(\/(?:home|Users|root|work|tmp|var)\/[\w.-]+)/g)].map((match) => `${file}: ${match[1]}`),
    )
    expect(named).toEqual([])
  })
})

function withoutCode(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```/gm, '').replace(/(?<!\[)`[^`\n]*`(?!\])/g, '')
}

/** Returns the anchors that headings get where Markdown is shown. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1] as string)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-'),
    ),
  )
}
