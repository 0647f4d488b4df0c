import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BEGIN = '<!-- journey: begin -->\n'
const END = '<!-- journey: end -->'
const WIDTH = 150

/** Runs `npm start`'s command as built in `dist/` and returns what it printed, with the paths of this machine taken out. */
export async function runJourney(): Promise<string> {
  const outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-docs-')))
  try {
    const bin = join(outside, 'bin')
    for (const folder of [bin, join(outside, 'home')]) await mkdir(folder)
    // On PATH by its name, as where it is installed, so that the commands it prints are those a person types.
    await symlink(join(ROOT, 'bin/valuetrain.js'), join(bin, 'valuetrain'))
    const { stdout } = await promisify(execFile)(join(bin, 'valuetrain'), ['journey'], {
      cwd: ROOT,
      env: {
        PATH: `${bin}${delimiter}${process.env.PATH}`,
        HOME: join(outside, 'home'),
        TMPDIR: outside,
        LANG: 'C.UTF-8',
        NO_COLOR: '1',
      },
      maxBuffer: 1e7,
    })
    return stdout
      .replace(new RegExp(`${outside}/[\\w.-]+/`, 'g'), '<folder>/')
      .split('\n')
      .map((line) => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line.trimEnd()))
      .join('\n')
      .trim()
  } finally {
    await rm(outside, { recursive: true, force: true })
  }
}

/** Returns a journey without what differs between two runs: times, commits, ids, and the width of the columns they stand in. */
export function shapeOf(journey: string): string {
  return journey
    .replace(/\b\d\d:\d\d:\d\d\b/g, '<time>')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b/g, '<commit>')
    .replace(/\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b/g, '<id>')
    .replace(/\b\d+(?:\.\d+)? (?:ms|s|min)\b/g, '<duration>')
    .replace(/ {2,}/g, '  ')
}

/** Returns the journey that a README shows. */
export function journeyOf(readme: string): string {
  const block = readme.slice(readme.indexOf(BEGIN) + BEGIN.length, readme.indexOf(END))
  return block.replace(/^```text\n|\n```\n$/g, '')
}

/** Returns the README with another journey. */
export function withJourney(readme: string, journey: string): string {
  const [before, after] = [readme.slice(0, readme.indexOf(BEGIN)), readme.slice(readme.indexOf(END))]
  return `${before}${BEGIN}\`\`\`text\n${journey}\n\`\`\`\n${after}`
}
