import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from './sources.ts'

/** Returns the Markdown files of the project that are written for people, by path from the root. */
export async function readDocuments(): Promise<Map<string, string>> {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', '*.md'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  const files = listed.split('\0').filter((file) => /^(?:[A-Z]+\.md|docs\/.+\.md|\.changeset\/.+\.md)$/.test(file))
  return new Map(await Promise.all(files.map(async (file) => [file, await readFile(join(ROOT, file), 'utf8')] as const)))
}

/** Returns the command lines that a document shows or names: in code blocks for a shell, and in code spans. */
export function commandLinesOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```/gm)].flatMap((match) =>
    (match[1] as string).split('\n'),
  )
  const spans = [...markdown.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1] as string)
  return [...blocks.map((line) => line.replace(/^\$ /, '').replace(/\s+#.*$/, '')), ...spans]
    .map((line) => line.trim())
    .filter((line) => /^(?:npx |node bin\/)?valuetrain(?:\.js)? [a-z]/.test(line))
    .map((line) => line.replace(/^(?:npx |node bin\/)?valuetrain(?:\.js)? /, ''))
}
