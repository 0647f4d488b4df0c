import type { Config } from '../core/config.ts'

/** How one agent is found, launched and understood. Data only: another agent is another entry. */
export interface AgentSpec {
  id: string
  title: string
  /** Program on PATH that is looked for and told `--version`. */
  program: string
  /** Versions this entry was written against; others are tried all the same. */
  writtenFor: string
  protocol: 'exec' | 'acp'
  /**
   * Arguments. `{brief}` is replaced by the brief, `{cwd}` by the worktree, `{turn}` by the turn's id, `{sandbox}` by
   * codex's word for how its own sandbox is to be; without `{brief}` the brief
   * is standard input.
   */
  args: readonly string[]
  /** Further arguments when models are reached through a metered address; `{url}` is that address. */
  modelArgs: readonly string[]
  dialect: keyof typeof import('./dialects/index.ts').DIALECTS
  /** Variables that are set as they are here. */
  set: Readonly<Record<string, string>>
  /** Names of variables that are passed on where the caller has them. */
  env: readonly string[]
  hosts: readonly string[]
  callsModels: boolean
  /** What ends it, and how a session could be taken up again, for people. */
  notes: string
}

const CLAUDE_TOOLS = 'Read,Write,Edit,MultiEdit,Glob,Grep,Bash'
const CODEX_PROVIDER =
  'model_providers.metered={name="metered",base_url="{url}/v1",wire_api="responses",env_key="OPENAI_API_KEY",request_max_retries=2,stream_max_retries=2}'
const common = { modelArgs: [], set: {}, env: [], hosts: [], callsModels: true } as const

/** The agents that are known by name. None is installed or bundled by us. */
export const KNOWN_AGENTS: readonly AgentSpec[] = [
  {
    ...common,
    id: 'claude',
    title: 'Claude Code, by its print mode',
    program: 'claude',
    writtenFor: '2.1',
    protocol: 'exec',
    args: [
      '-p',
      '--output-format',
      'stream-json',
      '--verbose',
      '--permission-mode',
      'acceptEdits',
      '--allowedTools',
      CLAUDE_TOOLS,
    ],
    dialect: 'claude',
    set: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', CLAUDE_CODE_MAX_RETRIES: '2' },
    notes:
      'Ends on SIGTERM with exit code 0 and no result line, so a missing result is a failure. `--resume <session>` takes it up.',
  },
  {
    ...common,
    id: 'codex',
    title: 'Codex, by `codex exec`',
    program: 'codex',
    writtenFor: '0.169',
    protocol: 'exec',
    args: ['exec', '--json', '--skip-git-repo-check', '-C', '{cwd}', '-s', '{sandbox}', '-'],
    modelArgs: ['-c', 'model_provider="metered"', '-c', CODEX_PROVIDER],
    dialect: 'codex',
    notes:
      'Its own sandbox needs namespaces, which our jail forbids, so that it is off where ours is. `codex exec resume <thread>` takes it up.',
  },
  {
    ...common,
    id: 'gemini',
    title: 'Gemini CLI, by its stream-json output',
    program: 'gemini',
    writtenFor: '0.61',
    protocol: 'exec',
    args: ['--output-format', 'stream-json', '--approval-mode', 'auto_edit'],
    dialect: 'gemini',
    notes: 'Takes the prompt from standard input. Its figures come once, for the run.',
  },
  {
    ...common,
    id: 'opencode',
    title: 'OpenCode, by `opencode run`',
    program: 'opencode',
    writtenFor: '1.18',
    protocol: 'exec',
    args: ['run', '--format', 'json', '--', '{brief}'],
    dialect: 'opencode',
    notes: 'Its figures come by the step and are added up. `--session <id>` takes it up.',
  },
  ...(
    [
      ['claude-acp', 'Claude Code over ACP, by its adapter', 'claude-agent-acp', [], '0.100'],
      ['codex-acp', 'Codex over ACP, by its adapter', 'codex-acp', [], '2.6'],
      ['gemini-acp', 'Gemini CLI over ACP', 'gemini', ['--acp'], '0.61'],
      ['qwen-acp', 'Qwen Code over ACP', 'qwen', ['--acp'], '0.15'],
      ['opencode-acp', 'OpenCode over ACP', 'opencode', ['acp'], '1.18'],
      ['goose-acp', 'Goose over ACP', 'goose', ['acp'], '1'],
    ] as const
  ).map(
    ([id, title, program, args, writtenFor]): AgentSpec => ({
      ...common,
      id,
      title,
      program,
      args,
      writtenFor,
      protocol: 'acp',
      dialect: 'text',
      notes: 'Cancelled by the protocol first, then ended with its group.',
    }),
  ),
]

/** Returns the agents by id: those of the configuration, then the known ones whose id it does not take. */
export function agentsOf(config: Pick<Config, 'agents'>): AgentSpec[] {
  const own = Object.entries(config.agents).map(([id, { command, protocol, dialect, env, hosts, callsModels }]): AgentSpec => {
    const [program = '', ...args] = command
    return {
      id,
      title: `${program}, from the configuration`,
      program,
      writtenFor: 'any',
      protocol,
      args,
      modelArgs: [],
      dialect,
      set: {},
      env,
      hosts,
      callsModels,
      notes: 'Ended with its group.',
    }
  })
  return [...own, ...KNOWN_AGENTS.filter(({ id }) => !Object.hasOwn(config.agents, id))]
}
