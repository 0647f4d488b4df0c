import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeRepository, testEnvironment } from '../support/repository.ts'
import { ROOT } from '../support/sources.ts'

const run = promisify(execFile)
const MEGABYTE = 1_000_000

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
  version: string
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  exports: Record<string, unknown>
}

describe('the packed package, installed somewhere else with engine-strict', () => {
  let outside = ''
  let home = ''
  let packed: string[] = []
  /** npm finds its registry and certificates where the machine has them; the installed program gets the clean environment. */
  const npm = (args: string[], cwd: string) => run('npm', args, { cwd, maxBuffer: 1e8 })

  beforeAll(async () => {
    outside = await realpath(await mkdtemp(join(tmpdir(), 'vt-package-')))
    home = join(outside, 'consumer')
    await mkdir(join(outside, 'home'))
    await mkdir(home)
    await run(process.execPath, [join(ROOT, 'scripts/ensure-built.mjs')], { cwd: ROOT })
    const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', outside], ROOT)
    const [tarball] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[]
    if (tarball === undefined) throw new Error(`npm pack said ${stdout}`)
    packed = tarball.files.map(({ path }) => path)
    await writeFile(join(home, 'package.json'), '{"name":"consumer","private":true,"type":"module"}\n')
    await writeFile(join(home, '.npmrc'), 'engine-strict=true\n')
    await npm(['install', '--no-audit', '--no-fund', '--prefer-offline', join(outside, tarball.filename)], home)
  }, 240_000)
  afterAll(() => rm(outside, { recursive: true, force: true }))

  const valuetrain = (args: string[], cwd: string) =>
    run(join(home, 'node_modules', '.bin', 'valuetrain'), args, { cwd, env: testEnvironment(join(outside, 'home')) })

  it('answers --version and --help', async () => {
    const { stdout } = await valuetrain(['--version'], outside)
    expect(stdout).toBe(`valuetrain ${manifest.version}\n`)
    const help = await valuetrain(['--help'], outside)
    expect(help.stdout).toContain('Usage: valuetrain')
    expect(help.stderr).toBe('')
  })

  it('plans its set-up in a fresh repository and changes nothing', async () => {
    const repository = await makeRepository({ 'package.json': '{"name":"x","scripts":{"test":"node --test"}}\n' })
    const { stdout } = await valuetrain(['init', '--plan'], repository.dir)
    expect(stdout).toContain('.valuetrain/config.yaml')
    expect(await repository.git.text(['status', '--porcelain'])).toBe('')
    expect(existsSync(join(repository.dir, '.valuetrain'))).toBe(false)
  })

  it('loads every public folder, and its declarations hold for a strict program', async () => {
    const names = Object.keys(manifest.exports)
      .filter((key) => !key.endsWith('.json'))
      .map((key) => key.replace(/^\./, 'valuetrain'))
    const script = `for (const name of ${JSON.stringify(names)}) { const m = await import(name); console.log(name, Object.keys(m).length > 0) }`
    const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: home })
    expect(stdout.trim().split('\n')).toEqual(names.map((name) => `${name} true`))

    await writeFile(join(home, 'program.ts'), names.map((name, index) => `export * as part${index} from '${name}'\n`).join(''))
    await cp(join(ROOT, 'node_modules/@types/node'), join(home, 'node_modules/@types/node'), { recursive: true })
    await cp(join(ROOT, 'node_modules/undici-types'), join(home, 'node_modules/undici-types'), { recursive: true })
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc')
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2024', '--types', 'node']
    const checked = await run(process.execPath, [tsc, ...flags, 'program.ts'], { cwd: home }).catch((error) => error)
    expect(checked.stdout).toBe('')
  })

  it('takes at most 80 MB with everything it needs, of which nothing is for development', async () => {
    const installed = await readdir(join(home, 'node_modules'))
    expect(Object.keys(manifest.devDependencies).filter((name) => name !== '@types/node' && installed.includes(name))).toEqual([])
    expect((await bytesOf(join(home, 'node_modules'))) / MEGABYTE).toBeLessThanOrEqual(80)
  })

  it('holds what its modules need and no sources, tests or benchmarks', () => {
    const folders = [...new Set(packed.map((path) => path.split('/')[0]))].sort()
    expect(folders).toEqual([
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin',
      'config.schema.json',
      'dist',
      'package.json',
    ])
    expect(packed.filter((path) => path.startsWith('bin/'))).toEqual(['bin/valuetrain-hook.js', 'bin/valuetrain.js'])
    for (const folder of ['dist/modes/', 'dist/templates/', 'dist/examples/first-journey/']) {
      expect(packed.some((path) => path.startsWith(folder) && !path.endsWith('.js') && !path.endsWith('.d.ts'))).toBe(true)
    }
  })
})

/** Space on the disk of everything below a folder, without what the test itself put there. */
async function bytesOf(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (path.endsWith('node_modules/undici-types') || path.endsWith('@types/node')) continue
    const { blocks } = await lstat(path)
    bytes += entry.isDirectory() ? await bytesOf(path) : blocks * 512
  }
  return bytes
}
