import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
  scripts: Record<string, string>
  dependencies: Record<string, string>
  peerDependencies: Record<string, string>
  peerDependenciesMeta: Record<string, { optional?: boolean }>
}
const lock = JSON.parse(await readFile(new URL('../../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<
    string,
    { hasInstallScript?: boolean; dev?: boolean; optional?: boolean; devOptional?: boolean; peer?: boolean }
  >
}

describe('the training core', () => {
  it('is below 300 KB with all it needs of ours, and loads nothing native and nothing of others but zod', async () => {
    const { outputFiles, metafile } = await build({
      entryPoints: [fileURLToPath(new URL('../../training/engine.ts', import.meta.url))],
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      logLevel: 'error',
    })
    expect(outputFiles[0]?.contents.length).toBeLessThan(300_000)
    const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
    expect(outside.filter((path) => !path.startsWith('node:'))).toEqual(['zod'])
  })

  it('comes with an install that runs no script and builds nothing', () => {
    const hooks = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']
    expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([])
    const used = Object.entries(lock.packages).filter(([, { dev, devOptional }]) => dev !== true && devOptional !== true)
    expect(used.filter(([, { hasInstallScript }]) => hasInstallScript).map(([name]) => name)).toEqual([])
  })

  it('names TensorFlow.js as peers that nobody has to have: none is installed with it', () => {
    const peers = Object.keys(manifest.peerDependencies).filter((name) => name.startsWith('@tensorflow/'))
    expect(peers).toEqual(['@tensorflow/tfjs', '@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'])
    expect(peers.map((name) => manifest.peerDependencies[name])).toEqual(['4.22.0', '4.22.0', '4.22.0'])
    expect(peers.every((name) => manifest.peerDependenciesMeta[name]?.optional === true)).toBe(true)
    expect(Object.keys(lock.packages).filter((name) => name.includes('@tensorflow'))).toEqual([])
  })
})
