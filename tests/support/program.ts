import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll } from 'vitest'

/**
 * Returns what makes one file of a program of the tests, packages included, for plain `node` to run: it begins in a fifth of
 * the time that compiling hundreds of modules anew takes. Our modules find their assets where their sources lie. The
 * file is made when it is first asked for, and goes when the test file has ended.
 *
 * @param source absolute path
 */
export function programOf(source: string): () => Promise<string> {
  let folder: string | undefined
  let made: Promise<string> | undefined
  afterAll(async () => {
    if (folder) await rm(folder, { recursive: true, force: true })
  })
  const make = async () => {
    folder = await mkdtemp(join(tmpdir(), 'vt-program-'))
    const outfile = join(folder, `${basename(source, '.ts')}.mjs`)
    await bundleProgram(source, outfile)
    return outfile
  }
  return () => {
    made ??= make()
    return made
  }
}

/** Writes such a file of a program where the caller wants it. */
export async function bundleProgram(source: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [source],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
    // Packages in CommonJS call require() for Node's own modules.
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);" },
    plugins: [
      {
        name: 'keep-module-urls',
        setup({ onLoad }) {
          onLoad({ filter: /\.m?ts$/ }, async ({ path }) => {
            if (path.includes(`${sep}node_modules${sep}`)) return undefined
            const text = await readFile(path, 'utf8')
            return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' }
          })
        },
      },
    ],
  })
}
