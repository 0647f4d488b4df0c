import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { DRAFT_MUTATIONS } from '../../forge/github/changes.ts'
import { EDITED_QUERY } from '../../forge/github/intake.ts'
import { ENTER_MUTATION, QUEUE_QUERY } from '../../forge/github/queue.ts'
import { autoPilotFile, ciFile } from '../../templates/index.ts'
import { openTerminal } from '../bin/terminal.ts'
import { KEY } from '../hooks/hooked.ts'
import { readerOfFiles } from '../support/reader.ts'
import { makeRepository } from '../support/repository.ts'

/**
 * What others publish about the formats we write, put into a folder of its own for this test alone: the SARIF schema as
 * Microsoft's matchers carry it, GitHub's own parser of workflows, GitLab's schema as a runner of its pipelines carries it.
 */
const PACKAGES = [
  '@microsoft/jest-sarif@1.0.0-beta.0',
  '@actions/workflow-parser@0.3.61',
  'gitlab-ci-local@4.60.0',
  'ajv@8.20.0',
  'ajv-draft-04@1.0.0',
  'ajv-formats@3.0.1',
  '@octokit/graphql-schema@15.26.1',
  'graphql@16.15.0',
]

interface Validate {
  (data: unknown): boolean
  errors?: { instancePath: string; message?: string }[] | null
}
interface Ajv {
  compile(schema: object): Validate
}

let folder: string
const at = (...path: string[]) => join(folder, 'node_modules', ...path)
const load = async (...path: string[]) => import(pathToFileURL(at(...path)).href)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vt-formats-'))
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts']
  await promisify(execFile)('npm', ['install', '--prefix', folder, ...options, ...PACKAGES])
}, 300_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

async function ajv(dialect: 'ajv' | 'ajv-draft-04'): Promise<Ajv> {
  const { default: made } = await load(dialect, 'dist', dialect === 'ajv' ? 'ajv.js' : 'index.js')
  const { default: formats } = await load('ajv-formats', 'dist', 'index.js')
  const one = new (made.default ?? made)({ strict: false, allErrors: true, unicodeRegExp: false })
  ;(formats.default ?? formats)(one)
  return one
}

const errorsOf = (validate: Validate, data: unknown) =>
  validate(data) ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)

describe('what is asked by GraphQL', () => {
  it.each(Object.entries({ QUEUE_QUERY, ENTER_MUTATION, EDITED_QUERY, ...DRAFT_MUTATIONS }))(
    '%s is a question of GitHub’s published schema',
    async (_, question) => {
      const { buildSchema, parse: parseQuery, validate } = await load('graphql', 'index.mjs')
      const text = await readFile(at('@octokit', 'graphql-schema', 'schema.graphql'), 'utf8')
      // It has a field twice, which is theirs to mend.
      const schema = buildSchema(text, { assumeValidSDL: true })
      expect(validate(schema, parseQuery(question))).toEqual([])
    },
  )
})

describe('a report as SARIF', () => {
  it('is valid by the published schema, with findings in files, in commits and in neither', async () => {
    const schema = JSON.parse(await readFile(at('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8'))
    const validate = (await ajv('ajv-draft-04')).compile(schema)
    const { dir, env, git, commit } = await makeRepository()
    await git.run(['switch', '-q', '-c', 'feature'])
    await commit({ 'ein "Schlüssel".txt': `token = ${KEY}\n`, 'large.bin': 'x'.repeat(6_000_000) })
    const { code, stdout } = await openTerminal({ dir, env }).run('check', '--base', 'main', '--sarif')
    const log = JSON.parse(stdout)
    expect([code, new Set(log.runs[0].results.map(({ level }: { level: string }) => level))]).toEqual([
      1,
      new Set(['error', 'warning', 'note']),
    ])
    expect(errorsOf(validate, log)).toEqual([])
    log.runs[0].results[0].level = 'fatal'
    expect(errorsOf(validate, log)).not.toEqual([])
  })
})

describe('the job for GitHub', () => {
  it('is taken by GitHub’s own parser, which says what is wrong with a bad one', async () => {
    const entry = join(folder, 'parse.mjs')
    const bundle = join(folder, 'parse.bundle.mjs')
    const [workflows, actions] = ['@actions/workflow-parser', '@actions/workflow-parser/actions/index']
    await writeFile(
      entry,
      `export { parseWorkflow, NoOperationTraceWriter } from '${workflows}'\nexport { parseAction } from '${actions}'\n`,
    )
    // It imports JSON in a way that not every Node here can; a bundle has it inside.
    await build({ entryPoints: [entry], outfile: bundle, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' })
    const { parseWorkflow, parseAction, NoOperationTraceWriter } = await import(pathToFileURL(bundle).href)
    const errors = (content: string): string[] => {
      const { context } = parseWorkflow({ name: 'valuetrain.yml', content }, new NoOperationTraceWriter())
      return context.errors.getErrors().map(({ message }: { message: string }) => message)
    }
    const { content = '' } = await ciFile('github', '1.2.3', readerOfFiles({}))
    expect(errors(content)).toEqual([])
    expect(errors((await autoPilotFile('1.2.3', readerOfFiles({}))).content ?? '')).toEqual([])
    expect(errors(content.replace('merge_group', 'merge_groups'))).not.toEqual([])
    const wrong = (text: string): string[] => {
      const { context } = parseAction({ name: 'action.yml', content: text }, new NoOperationTraceWriter())
      return context.errors.getErrors().map(({ message }: { message: string }) => message)
    }
    const action = await readFile(new URL('../../action.yml', import.meta.url), 'utf8')
    expect(wrong(action)).toEqual([])
    expect(wrong(action.replace('shell: bash', 'shel: bash'))).not.toEqual([])
    expect(wrong(action.replace('using: composite', 'using: composed'))).not.toEqual([])
    expect(errors(content.replace('contents: read', 'contents: sometimes'))).not.toEqual([])
  })
})

describe('the job for GitLab', () => {
  it('is valid by GitLab’s schema', async () => {
    const { schema } = await load('gitlab-ci-local', 'src', 'schema', 'schema.js')
    const validate = (await ajv('ajv')).compile(schema)
    const { content = '' } = await ciFile('gitlab', '1.2.3', readerOfFiles({}))
    expect(errorsOf(validate, parse(content))).toEqual([])
    expect(errorsOf(validate, parse(content.replace('interruptible: true', 'interruptible: 7')))).not.toEqual([])
    expect(errorsOf(validate, parse(content.replace('stage: test', 'stge: test')))).not.toEqual([])
  })
})
