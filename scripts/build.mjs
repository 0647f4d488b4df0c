/**
 * Builds `dist/`: the compiled tree with its declarations, the assets beside their modules, and in `dist/bin/` the
 * command line as one bundle with a chunk for every lazily imported command.
 *
 * The new tree is made beside the old one and takes its place by a rename, so that whoever runs the command line
 * meanwhile sees one of the two and never a mixture.
 *
 *   node scripts/build.mjs [--despite-errors]
 *
 * `--despite-errors` puts the tree in place although the type checker or the bundler complained, unbundled if need be;
 * for work in progress only.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'
import { bundleHook, withoutUnusedYaml } from './hook-bundle.mjs'
import { lock } from './lock.mjs'
import { assets, STAMP, sourceDigest } from './sources.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const DIST = join(ROOT, 'dist')
/** What the shim loads, and the folder whose compiled modules their bundle takes the place of. */
const ENTRIES = ['bin/main.js', 'bin/overview.js']
const BUNDLE = 'bin'
/** Builds `dist/` and returns whether the type checker was content. */
export async function build({ despiteErrors = false } = {}) {
  const release = await lock(join(ROOT, 'node_modules', '.cache', 'valuetrain', 'build.lock'))
  const fresh = join(ROOT, `dist.${process.pid}`)
  try {
    const started = performance.now()
    const digest = await sourceDigest(ROOT)
    await rm(fresh, { recursive: true, force: true })
    let sound = compile(fresh)
    if (!sound && !despiteErrors) return false
    for (const file of await assets(ROOT)) {
      await mkdir(dirname(join(fresh, file)), { recursive: true })
      await cp(join(ROOT, file), join(fresh, file))
    }
    sound = (await bundle(fresh, despiteErrors)) && sound
    if (!sound && !despiteErrors) return false
    await writeFile(join(fresh, STAMP), `${digest}\n`)
    await replace(fresh)
    console.log(`built dist/ in ${((performance.now() - started) / 1000).toFixed(1)} s`)
    return sound
  } finally {
    await rm(fresh, { recursive: true, force: true })
    await release()
  }
}

function compile(outDir) {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const result = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json'), '--outDir', outDir], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  return result.status === 0
}

/**
 * Bundles the compiled command line, packages included: a start then reads a few files instead of hundreds.
 * Modules find their assets by `import.meta.url`, which in a chunk would name the chunk, so it is replaced by the
 * place of the module in `dist/`.
 */
async function bundle(fresh, despiteErrors) {
  const outdir = join(fresh, `${BUNDLE}.bundle`)
  const options = {
    absWorkingDir: fresh,
    entryPoints: ENTRIES,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    outdir,
    entryNames: '[name]',
    chunkNames: 'chunks/[name]-[hash]',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    // Packages in CommonJS call require() for Node's own modules.
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [keepModuleUrls(fresh, outdir), withoutUnusedYaml()],
  }
  // esbuild has printed what is wrong.
  const result = await esbuild.build(options).catch(() => undefined)
  if (result === undefined) {
    await rm(outdir, { recursive: true, force: true })
    if (despiteErrors) console.error('the command line is not bundled')
    return false
  }
  const hookInputs = await bundleHook(fresh, 'bin/hook.js', join(outdir, 'hook.cjs'))
  if (hookInputs === undefined && !despiteErrors) return false
  const inputs = [...Object.keys(result.metafile.inputs), ...(hookInputs ?? [])]
  await writeFile(join(outdir, 'NOTICES.md'), await notices(inputs, fresh))
  await rm(join(fresh, BUNDLE), { recursive: true })
  await rename(outdir, join(fresh, BUNDLE))
  return true
}

/** Rewrites `import.meta.url` of our own modules to where the unbundled module lies. */
function keepModuleUrls(fresh, outdir) {
  return {
    name: 'keep-module-urls',
    setup(build) {
      build.onLoad({ filter: /\.js$/ }, async ({ path }) => {
        if (!path.startsWith(fresh + sep)) return undefined
        const source = await readFile(path, 'utf8')
        if (!source.includes('import.meta.url')) return { contents: source, loader: 'js' }
        const place = JSON.stringify(relative(fresh, path).split(sep).join('/'))
        return { contents: source.replaceAll('import.meta.url', `__moduleUrl(${place})`), loader: 'js' }
      })
      build.onEnd(async () => {
        for (const folder of [outdir, join(outdir, 'chunks')]) {
          if (!existsSync(folder)) continue
          const up = folder.endsWith('chunks') ? '../../' : '../'
          for (const name of await readdir(folder)) {
            if (!name.endsWith('.js')) continue
            const file = join(folder, name)
            const source = await readFile(file, 'utf8')
            if (!source.includes('__moduleUrl(')) continue
            const define = `const __moduleUrl=(place)=>new URL(${JSON.stringify(up)}+place,import.meta.url).href;\n`
            await writeFile(file, source.startsWith('#!') ? source.replace(/\n/, `\n${define}`) : define + source)
          }
        }
      })
    },
  }
}

/** Returns the licence texts of the bundled packages, which their licences ask us to pass on. */
async function notices(inputs, fresh) {
  const folders = new Set()
  for (const input of inputs) {
    const path = join(fresh, input)
    const at = path.lastIndexOf(`${sep}node_modules${sep}`)
    if (at < 0) continue
    const [first, second] = path.slice(at + `${sep}node_modules${sep}`.length).split(sep)
    folders.add(join(path.slice(0, at), 'node_modules', first.startsWith('@') ? join(first, second) : first))
  }
  const parts = []
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file === undefined ? `Licence: ${license}` : (await readFile(join(folder, file), 'utf8')).trim()
    parts.push(`## ${name} ${version}\n\n\`\`\`text\n${text}\n\`\`\`\n`)
  }
  return `# Packages in this bundle\n\n${parts.join('\n')}`
}

async function replace(fresh) {
  const old = `${fresh}.old`
  await rename(DIST, old).catch((error) => {
    if (error.code !== 'ENOENT') throw error
  })
  await rename(fresh, DIST)
  await rm(old, { recursive: true, force: true })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sound = await build({ despiteErrors: process.argv.includes('--despite-errors') })
  if (!sound) process.exitCode = 1
}
