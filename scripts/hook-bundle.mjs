import * as esbuild from 'esbuild'

/** Packages a hook cannot afford to load. */
const TOO_SLOW = /(?:^|\/)node_modules\/(?:@oclif|xstate|simple-git|zod|execa)\//

/**
 * Bundles the program that git's hooks start: one file with nothing beside it to be found, so that it works from any copy;
 * CommonJS, because that starts 4 ms sooner.
 *
 * @param root folder the entry is named from
 * @returns the files that went into it; undefined when it could not be made, or holds a package that makes it slow
 */
export async function bundleHook(root, entry, outfile) {
  const result = await esbuild
    .build({
      absWorkingDir: root,
      entryPoints: [entry],
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20.19',
      outfile,
      minify: true,
      legalComments: 'none',
      metafile: true,
      logLevel: 'warning',
      plugins: [withoutUnusedYaml()],
    })
    .catch(() => undefined)
  if (result === undefined) return undefined
  const inputs = Object.keys(result.metafile.inputs)
  const slow = inputs.filter((input) => TOO_SLOW.test(input))
  if (slow.length === 0) return inputs
  console.error(`the hooks' program has become slow: it holds ${slow.slice(0, 3).join(', ')}`)
  return undefined
}

/**
 * Leaves out the YAML engine that gray-matter loads by default and that `core/frontmatter.ts` replaces, a tenth of what
 * a start would read. Calling it is an error, not a silent second way to read YAML.
 */
export function withoutUnusedYaml() {
  const refuse = `() => { throw new Error('gray-matter was called without an engine') }`
  return {
    name: 'without-unused-yaml',
    setup(build) {
      build.onResolve({ filter: /^js-yaml$/ }, () => ({ path: 'js-yaml', namespace: 'unused' }))
      build.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({
        contents: `module.exports = { safeLoad: ${refuse}, safeDump: ${refuse} }`,
        loader: 'js',
      }))
    },
  }
}
