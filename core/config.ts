import * as z from 'zod'
import { MOMENTS } from './contracts/event.ts'
import { Argv, GateSpec } from './contracts/gate.ts'
import type { FileReader } from './contracts/method.ts'
import { Slug } from './contracts/names.ts'
import { didYouMean, ValuetrainError } from './errors.ts'
import { parseMapping } from './frontmatter.ts'

/** Where the configuration lies in a repository. */
/** Where a phase of training can wait for a person. */
const APPROVALS = ['plan', 'promotion'] as const

export const CONFIG_FILE = '.valuetrain/config.yaml'

const ms = z.int().min(1)
const usd = z.number().min(0).nullable().default(null)

/** Where a provider is. Another address is another provider to the price book, unless `prices` names one. */
const upstream = (url: string, key: string | null) =>
  z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).default(url),
      key: z.string().nullable().default(key),
      prices: z.string().nullable().default(null).describe('Provider in the price book; null is its own at the usual address.'),
    })
    .prefault({})

/**
 * An agent of the repository's own: a command that works by itself, a program that speaks ACP, or a bare model that our
 * own loop of tools works with.
 */
const AgentEntry = z
  .strictObject({
    command: Argv.optional().describe(
      'Program and arguments, with `exec` and `acp`; an argument {brief} is replaced by the brief, {cwd}, {url}, {key} and {model} by what they name. Not needed under the id of a known agent.',
    ),
    protocol: z
      .enum(['exec', 'acp', 'ollama', 'openai'])
      .default('exec')
      .describe(
        'How it is spoken with. `ollama` and `openai` are no programs but our own loop around a model, at the address under `models`.',
      ),
    dialect: z
      .enum(['text', 'events', 'claude', 'codex', 'gemini', 'opencode', 'pi'])
      .default('text')
      .describe('How it tells what it does, with `exec`; `text` has no final event, so that the exit code and the diff decide.'),
    usage: z
      .enum(['step', 'run'])
      .nullable()
      .default(null)
      .describe('What a line with figures counts: one step, or the run so far. null is as its dialect has it.'),
    env: z.array(z.string()).default([]).describe('Names of environment variables it gets besides those of `workspace.env`.'),
    set: z
      .record(z.string(), z.string())
      .default({})
      .describe('Variables it gets as they stand here; {url}, {key}, {model}, {cwd} and {home} are replaced.'),
    resume: z
      .array(z.string())
      .default([])
      .describe(
        'Arguments with {session} that take up an earlier turn of the ticket; they stand where the command says {resume}.',
      ),
    home: z
      .string()
      .nullable()
      .default(null)
      .describe(
        'Variable that is set to a folder of its own, kept as long as the ticket; its sessions have to be there to be resumed.',
      ),
    hosts: z.array(z.string()).default([]).describe('Hosts it may reach from its jail, as `host` or `host:port`.'),
    callsModels: z.boolean().default(false).describe('Whether it is given a metered way to models.'),
    login: z
      .boolean()
      .default(false)
      .describe(
        "Whether a known agent works by the user's own login with its vendor instead of the gateway: it may reach that vendor alone, its use is quota and not money, and it is refused where a budget is set.",
      ),
    graceMs: z.int().min(1).default(2_000).describe('Milliseconds between asking its processes to end and killing them.'),
    model: z.string().nullable().default(null).describe('Name of the model; `ollama` and `openai` have to have one.'),
    context: z
      .int()
      .min(8_192)
      .default(65_536)
      .describe('Tokens of context, with `ollama` and `openai`; a model that has fewer is refused.'),
    answer: z.int().min(256).default(8_192).describe('Tokens of one answer, with `ollama` and `openai`.'),
  })
  .refine(({ protocol, model }) => (protocol !== 'ollama' && protocol !== 'openai') || model !== null, {
    path: ['model'],
    message: 'is needed with the protocols ollama and openai',
  })

/** Machines with graphics cards for trainers that are programs of their own. */
const GpuMachines = z
  .strictObject({
    trainer: Argv.optional().describe('Program and arguments that `gpu run` starts on a lease.'),
    ssh: z
      .record(
        Slug.refine((id) => id !== 'local', 'is the name of this machine'),
        z.strictObject({
          host: z
            .string()
            .regex(/^[A-Za-z0-9_][A-Za-z0-9_.:@-]*$/, 'is a host as `ssh` knows it, such as box or me@box')
            .describe('Host as `ssh` knows it; user, port and key stand in your own ssh configuration.'),
          dir: z.string().optional().describe('Folder there in which the trainer starts; its home unless told.'),
          usdPerHour: z.number().min(0).default(0).describe('What an hour costs.'),
        }),
      )
      .default({})
      .describe('Machines that `ssh` reaches, by names of your own; `local` is this one.'),
    providers: z
      .record(
        Slug.refine((id) => id !== 'local', 'is the name of this machine'),
        z.strictObject({
          command: Argv.describe('Program and arguments; each call gives it one line of JSON and reads one back.'),
          dir: z.string().optional().describe('Folder there in which the trainer starts; the program decides unless told.'),
          usdPerHour: z.number().min(0).default(0).describe('What an hour costs.'),
        }),
      )
      .default({})
      .describe(
        'Machines that a program of the repository speaks for, by names of your own. Program and entry have to be committed on the default branch.',
      ),
    usdPerHour: z.number().min(0).default(0).describe('What an hour of this machine costs.'),
    leaseMs: z
      .int()
      .min(5_000)
      .default(60_000)
      .describe('How long a lease lives without a heartbeat, in milliseconds; whole seconds count.'),
    maxHours: z.number().gt(0).max(720).default(12).describe('When a lease ends in any case.'),
    maxUsd: z.number().gt(0).nullable().default(null).describe('What one lease may cost before it ends; null does not limit.'),
  })
  .superRefine(({ ssh, providers }, context) => {
    for (const id of Object.keys(providers)) {
      if (Object.hasOwn(ssh, id))
        context.addIssue({ code: 'custom', path: ['providers', id], message: 'is a name of `training.gpu.ssh` already' })
    }
  })
  .prefault({})
  .describe('Machines with graphics cards, for a trainer that is a program of its own.')

const Keys = z.strictObject({
  version: z.literal(1).default(1).describe('Format version of this file.'),
  forge: z.enum(['local', 'github']).default('local').describe('Where issues live and changes are merged.'),
  remote: z
    .string()
    .nullable()
    .default(null)
    .describe('Name of the git remote that claims and merges go through; null works with this clone alone.'),
  github: z
    .strictObject({
      repository: z
        .string()
        .regex(/^[\w.-]+\/[\w.-]+$/, 'is not of the form OWNER/NAME')
        .nullable()
        .default(null)
        .describe('OWNER/NAME; null reads it from the address of the git remote.'),
      api: z
        .url({ protocol: /^https?$/ })
        .nullable()
        .default(null)
        .describe('Root of the REST API; null derives it from the host of the remote, Enterprise servers included.'),
      merge: z.enum(['merge', 'squash', 'rebase']).default('merge').describe('How pull requests come in.'),
      reserve: z
        .int()
        .min(0)
        .default(200)
        .describe('Requests of the hourly limit that looking never uses up, so that deliveries can always be written.'),
      writeEveryMs: z.int().min(0).default(1_000).describe('Milliseconds between two writes, as GitHub asks for.'),
    })
    .prefault({})
    .describe('GitHub, with `forge: github`. Tokens never stand here: docs/github.md.'),
  branch: z.string().default('main').describe('The default branch, which changes are merged into.'),
  pipeline: Slug.default('routine').describe('Pipeline of an issue that names none.'),
  agent: z
    .string()
    .nullable()
    .default(null)
    .describe('Runtime of an issue without a `recipe:` or `agent:` label; null waits and says so.'),
  merge: z
    .enum(['auto', 'person'])
    .default('person')
    .describe('Who merges a delivered change when the command line does not say.'),
  attempts: z.int().min(1).max(20).default(3).describe('Failed attempts at one phase after which the ticket is blocked.'),
  commands: z
    .strictObject({ lint: Argv.optional(), types: Argv.optional(), build: Argv.optional(), test: Argv.optional() })
    .default({})
    .describe('Commands that must succeed on every tree, each as a list of program and arguments.'),
  recipes: z
    .record(Slug, z.array(Argv).min(1))
    .default({})
    .describe('Named lists of commands that the `recipe` runtime runs for issues labelled `recipe:<name>`.'),
  labels: z
    .strictObject({
      auto: z.string().default('auto'),
      task: z.string().nullable().default(null),
      requirement: z
        .string()
        .default('requirement')
        .describe('With the first priority, one of these is worked at a time in a project.'),
      story: z.string().default('story').describe('With the first priority, one of these is worked at a time by a pilot.'),
      priorities: z.array(z.string()).default(['now', 'next', 'future']),
      excluded: z.array(z.string()).default(['blocked', 'risk', 'mitigation', 'meta']),
    })
    .prefault({})
    .describe('Labels that selection reads.'),
  gates: z.array(GateSpec).default([]).describe('Gates of this repository, asked besides the built-in ones.'),
  extensions: z
    .strictObject({
      gates: z.array(z.string()).default([]),
      runtimes: z.array(z.string()).default([]),
      modes: z.array(z.string()).default([]),
    })
    .prefault({})
    .describe('Repository paths of modules and mode files to load; nothing is found by scanning.'),
  workspace: z
    .strictObject({
      setup: z.array(Argv).default([]).describe('Commands that prepare a fresh checkout.'),
      inputs: z
        .array(z.string())
        .default([])
        .describe('Files whose content decides whether a prepared checkout may be reused, e.g. the lock file.'),
      cache: z.array(z.string()).default([]).describe('Folders that setup fills and that are kept by the digest of `inputs`.'),
      env: z
        .array(z.string())
        .default([])
        .describe('Names of environment variables that commands may see besides PATH, HOME, LANG and TMPDIR.'),
      hosts: z
        .array(z.string())
        .default([])
        .describe('Hosts that setup may reach from its jail, as `host` (port 443) or `host:port`, e.g. a package registry.'),
      tools: z
        .array(z.string())
        .default([])
        .describe(
          'Paths outside the repository, absolute or from `~/`, that commands in a jail may read, e.g. a cache of tools.',
        ),
      keep: z.array(z.string()).default([]).describe('Globs of ignored files that are rescued, too, before a worktree goes.'),
      root: z.string().nullable().default(null).describe('Folder for worktrees; null means `<repository>.worktrees` beside it.'),
    })
    .prefault({})
    .describe('Worktrees and the checkouts in which gates judge.'),
  agents: z
    .record(Slug, AgentEntry)
    .default({})
    .describe('Agents of this repository by id, besides the built-in ones; one with the id of a built-in one takes its place.'),
  jail: z
    .enum(['auto', 'required', 'off'])
    .default('auto')
    .describe(
      'Whether what executes files of the work (turns, gates, set-up, the repository’s hooks at our commits) runs in a jail: where one can be built, always (unless the command line says --no-jail), or never.',
    ),
  budgets: z
    .strictObject({ run: usd, ticket: usd, day: usd, project: usd })
    .prefault({})
    .describe(
      'US dollars that calls of models may cost: one turn, one ticket, all of one day (UTC), everything. null does not limit. Where one is set, a model without a known price is refused.',
    ),
  models: z
    .strictObject({
      openai: upstream('https://api.openai.com', 'OPENAI_API_KEY'),
      anthropic: upstream('https://api.anthropic.com', 'ANTHROPIC_API_KEY'),
      gemini: upstream('https://generativelanguage.googleapis.com', 'GEMINI_API_KEY'),
      ollama: upstream('http://127.0.0.1:11434', null),
    })
    .prefault({})
    .describe('Where the gateway finds models, and the environment variable that has its key; agents never see that key.'),
  training: z
    .strictObject({
      config: z
        .string()
        .nullable()
        .default(null)
        .describe('Repository path of the train.yaml that training and evaluation phases run; null leaves them to the agent.'),
      backend: z.enum(['auto', 'wasm', 'js', 'tfjs']).default('auto').describe('What computes.'),
      approval: z
        .union([z.boolean(), z.array(z.enum(APPROVALS))], { error: 'is true, false, or a list of plan and promotion' })
        .default(false)
        .describe(
          'Where a person has to say yes by `ticket approve`: `plan` before a training phase spends anything, `promotion` before a validation phase, which promotes, is left. true means promotion.',
        ),
      gpu: GpuMachines,
    })
    .prefault({})
    .describe('Training as phases of a pipeline.'),
  router: z
    .strictObject({
      stage: z
        .enum(['off', 'shadow', 'canary', 'on'])
        .default('off')
        .describe(
          'Who chooses the agent of an issue whose labels name none: `off` the configuration; `shadow` the configuration, while the policy only says what it would do; `canary` the policy on a share of the issues; `on` the policy.',
        ),
      policy: Slug.default('router').describe(
        'Name of the promoted policy. With `on` and nothing promoted yet, every arm has the same chance.',
      ),
      arms: z
        .array(z.string().regex(/^(?:agent|recipe):\S+$/, 'is an arm such as agent:claude or recipe:format'))
        .max(10)
        .default([])
        .describe('The candidates, as the labels that would name them: `agent:<runtime>` or `recipe:<name>`.'),
      share: z.number().gt(0).lt(1).default(0.1).describe('Share of the issues that the new policy gets as a canary.'),
      price: z
        .number()
        .min(0)
        .default(0.1)
        .describe('What a US dollar counts for, in solved issues, when policies are compared.'),
    })
    .superRefine(({ stage, arms }, context) => {
      if (stage !== 'off' && arms.length === 0) {
        context.addIssue({ code: 'custom', path: ['arms'], message: `is empty, and stage ${stage} has nothing to choose from` })
      }
      if (new Set(arms).size !== arms.length) {
        context.addIssue({ code: 'custom', path: ['arms'], message: 'names an arm twice' })
      }
    })
    .prefault({})
    .describe('The router: which agent works an issue, learned from what came of earlier choices.'),
  limits: z
    .strictObject({
      launchMs: ms.default(60_000),
      firstOutputMs: ms.default(300_000),
      silenceMs: ms.default(900_000),
      totalMs: ms.default(3_600_000),
      gateMs: ms.default(600_000),
      setupMs: ms.default(900_000),
      outputBytes: ms.default(1_000_000),
      calls: z.int().min(1).default(400),
      tokens: z.int().min(1).nullable().default(null),
      memoryBytes: ms.default(8 * 1024 ** 3),
      processes: ms.default(1024),
      fileBytes: ms.default(4 * 1024 ** 3),
      cpuMs: ms.default(7_200_000),
    })
    .prefault({})
    .describe(
      'Limits of turns, gates and set-up, in milliseconds and bytes; `calls` of models and `tokens`, in and out, are those of one turn, and the last four those of a jail.',
    ),
  size: z
    .strictObject({ warnBytes: ms.default(1_000_000), maxBytes: ms.default(5_000_000) })
    .prefault({})
    .describe('Size of a new file from which the size gate warns and refuses.'),
  protected: z
    .array(z.string())
    .default([
      '.valuetrain/config.yaml',
      '.valuetrain/pipelines/**',
      '.valuetrain/modes/**',
      '.valuetrain/roles/**',
      '.github/workflows/**',
      '.gitlab-ci.yml',
      '.husky/**',
      '.gitattributes',
    ])
    .describe('Globs of paths that an agent may not change without an approval.'),
  commits: z
    .strictObject({ conventional: z.boolean().default(false) })
    .prefault({})
    .describe('Rules for commit messages.'),
  checkIns: z.array(z.enum(MOMENTS)).default([]).describe('Moments at which a ticket waits for its operator.'),
  drive: z
    .strictObject({
      parallel: z.int().min(1).max(64).default(1),
      pollMs: ms.default(5_000),
      pauseAfterFailures: z.int().min(1).default(5),
      clashes: z
        .enum(['warn', 'serialise', 'rebase'])
        .default('warn')
        .describe(
          'When two tickets under way change the same lines: record it; let the later one wait until the other is merged; or wait and, before it is judged, take in what the default branch has got meanwhile.',
        ),
    })
    .prefault({})
    .describe('Auto-Pilot.'),
  delivery: z
    .strictObject({
      labels: z.array(z.string().min(1)).default([]).describe('Labels that every pull request gets.'),
      reviewers: z
        .array(z.string().min(1))
        .default([])
        .describe('Logins; each pull request asks the one with the fewest of ours open.'),
      openPerReviewer: z
        .int()
        .min(1)
        .nullable()
        .default(null)
        .describe(
          'Pull requests a reviewer may have open from us before no new issue is begun; without reviewers all count as one person’s. null does not limit.',
        ),
      upToDate: z
        .enum(['always', 'when-asked'])
        .default('always')
        .describe(
          'When a delivered branch is brought up to date and judged again: whenever its base moves, or when the forge says that it must be.',
        ),
    })
    .prefault({})
    .describe('Changes on a forge of another machine.'),
  lease: z
    .strictObject({ ttlMs: ms.default(90_000) })
    .prefault({})
    .describe('How long a claim lasts without renewal; it is renewed at a third of that.'),
})

/** The one schema of `.valuetrain/config.yaml`: type, JSON Schema, reference page and messages come from it. */
export const Config = Keys.superRefine(({ router, recipes }, context) => {
  for (const [n, arm] of router.arms.entries()) {
    const name = /^recipe:(.*)$/.exec(arm)?.[1]
    if (name === undefined || Object.hasOwn(recipes, name)) continue
    const known = Object.keys(recipes)
    const list = known.length === 0 ? 'there are no `recipes`' : `known: ${known.join(', ')}`
    // Drawn, it would leave the ticket waiting for a label that nobody wrote.
    context.addIssue({
      code: 'custom',
      path: ['router', 'arms', n],
      message: `names no recipe${didYouMean(name, known)} (${list})`,
    })
  }
})
export type Config = z.infer<typeof Config>

/** Returns the configuration that a repository without a file has. */
export function defaultConfig(): Config {
  return Config.parse({})
}

/**
 * Returns the configuration a YAML text says.
 *
 * @param file named in errors
 * @throws VT_YAML when the text does not parse; VT_CONFIG with key and nearest name when a value is wrong
 */
export function parseConfig(text: string, file: string = CONFIG_FILE): Config {
  return checkShape(Config, parseMapping(text, file), file)
}

/** Returns whether a person has to say yes at a step of training. */
export function wantsApproval({ approval }: Config['training'], step: (typeof APPROVALS)[number]): boolean {
  return Array.isArray(approval) ? approval.includes(step) : approval && step === 'promotion'
}

/** Returns the configuration at a revision, and whether there was a file. */
export async function readConfig(reader: FileReader): Promise<{ config: Config; found: boolean }> {
  const text = await reader.read(CONFIG_FILE)
  return text === undefined ? { config: defaultConfig(), found: false } : { config: parseConfig(text), found: true }
}

/**
 * Returns a value checked against a schema.
 *
 * @throws VT_CONFIG whose message names file, key and, for an unknown key or a wrong word, the nearest one
 */
export function checkShape<T extends z.ZodType>(schema: T, value: unknown, file: string): z.infer<T> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  const problems = result.error.issues.slice(0, 5).map((issue) => explain(nearest(issue), schema))
  throw new ValuetrainError('VT_CONFIG', `${file}: ${problems.join('; ')}`, {
    kind: 'config',
    hint: file === CONFIG_FILE ? 'mend the named key; `valuetrain config show` prints what is read' : 'mend the named key',
    details: { file, problems },
  })
}

/** What fits none of several forms is told by the form that it came nearest to: the one whose complaint lies deepest. */
function nearest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0 || issue.message !== 'Invalid input') return issue
  const depth = (issues: readonly z.core.$ZodIssue[]) => Math.min(...issues.map(({ path }) => path.length))
  const [form] = [...issue.errors].sort((a, b) => depth(b) - depth(a))
  const [first] = form ?? []
  // Every form was refused at the value itself, so none of them is nearer.
  if (first === undefined || first.path.length === 0) return issue
  return nearest({ ...first, path: [...issue.path, ...first.path] })
}

function explain(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  const at = issue.path.length === 0 ? '' : issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path)
    return issue.keys.map((key) => `unknown key "${at === '' ? key : `${at}.${key}`}"${didYouMean(key, known)}`).join('; ')
  }
  const name = at === '' ? 'the file' : at
  if (issue.code === 'invalid_value') {
    const words = issue.values.map(String)
    return `${issue.input === undefined ? `${name} is missing` : name}: ${oneOf(words, issue.input)}`
  }
  if (issue.code === 'invalid_union' && issue.message.startsWith('Invalid discriminator value')) {
    const words = [...issue.message.matchAll(/'([^']+)'/g)].map(([, word]) => word as string)
    const said = issue.input as Record<string, unknown> | undefined
    return `${name}: ${oneOf(words, said?.[String(issue.path.at(-1))])}`
  }
  // Only the library's own sentences are put another way; a schema that has words of its own is heard.
  if (!OWN_WORDS.test(issue.message)) return `${name}: ${issue.message}`
  if (issue.input === undefined && MISSING.includes(issue.code)) return `${name} is missing`
  if (issue.code === 'invalid_type') {
    const wanted = issue.expected === 'int' ? 'a whole number' : (KINDS[issue.expected] ?? issue.expected)
    return `${name}: expected ${wanted}, not ${told(issue.input)}`
  }
  if ((issue.code === 'too_small' || issue.code === 'too_big') && issue.origin === 'number') {
    const [bound, than] = issue.code === 'too_small' ? [issue.minimum, 'least'] : [issue.maximum, 'most']
    const limit = issue.inclusive === false ? (than === 'least' ? 'above' : 'below') : `at ${than}`
    return `${name}: has to be ${limit} ${bound}, not ${told(issue.input)}`
  }
  if (issue.code === 'invalid_union') {
    const known = keysAt(schema, issue.path)
    const forms = known.length === 0 ? '' : `; its keys: ${known.join(', ')}`
    return `${name}: ${told(issue.input)} is nothing it can be${forms}`
  }
  return `${name}: ${issue.message}`
}

function oneOf(words: readonly string[], said: unknown): string {
  return `expected one of ${words.join(', ')}${typeof said === 'string' ? didYouMean(said, words) : ''}`
}

const OWN_WORDS = /^(Invalid input|Too (small|big))/
const MISSING: readonly string[] = ['invalid_type', 'invalid_union']
const KINDS: Readonly<Record<string, string>> = {
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'keys with values',
  record: 'keys with values',
}

function told(value: unknown): string {
  if (typeof value === 'number') return String(value)
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const forms = (json: Record<string, unknown>) => [
    json,
    ...(((json.anyOf ?? json.oneOf) as Record<string, unknown>[] | undefined) ?? []),
  ]
  let options = forms(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>)
  for (const key of path) {
    options = options
      .map((json) =>
        typeof key === 'number'
          ? json.items
          : ((json.properties as Record<string, unknown>)?.[String(key)] ?? json.additionalProperties),
      )
      .filter((next): next is Record<string, unknown> => typeof next === 'object' && next !== null)
      .flatMap(forms)
  }
  return options.flatMap((option) => Object.keys((option.properties as object) ?? {}))
}
