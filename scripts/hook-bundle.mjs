import * as esbuild from 'esbuild'

/** Packages a hook cannot afford to load. */
const TOO_SLOW = /(?:^|\/)node_modules\/(?:@oclif|xstate|simple-git|zod|execa)\//

/**
 * Bundles the program that git's hooks start: one file with nothing beside it to be found, so that it works from any copy;
 * CommonJS, because that starts 4 ms sooner. What reads YAML is two thirds of it and hardly ever needed, so it lies in there as a
 * text that is compiled when it is first asked for.
 *
 * @param root folder the entry is named from
 * @returns the files that went into it; undefined when it could not be made, or holds a package that makes it slow
 */
export async function bundleHook(root, entry, outfile) {
  const options = {
    absWorkingDir: root,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node20.19',
    minify: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  }
  const reader = `core/frontmatter.${entry.split('.').at(-1)}`
  const build = async () => {
    const asleep = await esbuild.build({ ...options, entryPoints: [reader], write: false, plugins: [withoutUnusedYaml()] })
    const text = asleep.outputFiles[0].text
    const main = await esbuild.build({ ...options, entryPoints: [entry], outfile, plugins: [sleeping(text)] })
    return [...Object.keys(asleep.metafile.inputs), ...Object.keys(main.metafile.inputs)]
  }
  // esbuild has printed what is wrong.
  const inputs = await build().catch(() => undefined)
  if (inputs === undefined) return undefined
  const slow = inputs.filter((input) => TOO_SLOW.test(input))
  if (slow.length === 0) return inputs
  console.error(`the hooks' program has become slow: it holds ${slow.slice(0, 3).join(', ')}`)
  return undefined
}

/** Puts a bundle in the place of the module that reads front matter, as a text. */
function sleeping(text) {
  return {
    name: 'sleeping-front-matter',
    setup(build) {
      build.onResolve({ filter: /\/core\/frontmatter\.[jt]s$/ }, () => ({ path: 'frontmatter', namespace: 'asleep' }))
      build.onLoad({ filter: /.*/, namespace: 'asleep' }, () => ({
        contents: `Function('module', 'exports', 'require', ${JSON.stringify(text)})(module, module.exports, require)`,
        loader: 'js',
      }))
    },
  }
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
