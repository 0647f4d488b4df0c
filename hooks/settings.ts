import { ValuetrainError } from '../core/errors.ts'
import type { Git } from '../core/git.ts'
import type { ReadYaml } from '../sessions/form.ts'

/** Sizes in bytes from which the size check warns and refuses. */
export interface Limits {
  warnBytes: number
  maxBytes: number
}

/** The part of the configuration that hooks ask for. */
export interface HookSettings {
  size: Limits
  conventional: boolean
}

const FILE = '.valuetrain/config.yaml'
/** What the configuration's schema fills in. */
const USUAL: HookSettings = { size: { warnBytes: 1_000_000, maxBytes: 5_000_000 }, conventional: false }

/**
 * Returns what the committed configuration says to hooks. Its YAML is read only when a word of what is asked for
 * stands in it. A file that cannot be read says nothing here; every other command names what is wrong with it.
 */
export async function readSettings(git: Git): Promise<HookSettings> {
  const { stdout, code } = await git.run(['cat-file', 'blob', `HEAD:${FILE}`], { okExit: [0, 128] })
  if (code !== 0 || !/^\s*["']?(?:size|conventional|commits)\b/m.test(stdout)) return USUAL
  const { parseMapping } = await import('../core/frontmatter.ts')
  try {
    const { size, commits } = parseMapping(stdout, FILE) as Record<string, Record<string, unknown> | undefined>
    const bytes = (value: unknown, usual: number) =>
      Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : usual
    return {
      size: { warnBytes: bytes(size?.warnBytes, USUAL.size.warnBytes), maxBytes: bytes(size?.maxBytes, USUAL.size.maxBytes) },
      conventional: commits?.conventional === true,
    }
  } catch (error) {
    if (error instanceof ValuetrainError) return USUAL
    throw error
  }
}

/** Returns the limits without reading anything: right in every repository that does not set its own. */
export function usualLimits(): Limits {
  return USUAL.size
}

/** Asks to be called again with YAML at hand. */
class NeedsYaml extends Error {}

/**
 * Judges with front matter in the form we write, and only if some is in another form again with YAML, which takes half as
 * long to load as everything else together.
 */
export async function withYaml<T>(judge: (readYaml: ReadYaml) => T): Promise<T> {
  try {
    return judge(() => {
      throw new NeedsYaml()
    })
  } catch (error) {
    if (!(error instanceof NeedsYaml)) throw error
    const { parseFrontMatter } = await import('../core/frontmatter.ts')
    return judge((front, file) => parseFrontMatter(front, file).data)
  }
}
