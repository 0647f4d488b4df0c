import { CONFIG_FILE, type Config } from '../core/config.ts'
import { didYouMean, ValuetrainError } from '../core/errors.ts'
import { ACP_AGENTS } from './known/acp.ts'
import { claude } from './known/claude.ts'
import { codex } from './known/codex.ts'
import { gemini } from './known/gemini.ts'
import { opencode } from './known/opencode.ts'
import { pi } from './known/pi.ts'

/**
 * How one agent is found, launched, led to a model, taken up again and ended. Data only: another agent is another entry.
 *
 * In arguments, variables and files these are replaced: `{brief}`, `{cwd}` the worktree, `{turn}` its id, `{home}` the
 * agent's own folder, `{url}` and `{key}` the metered way to models, `{model}` the model's name, `{session}` the session to take up,
 * `{sandbox}` codex's word for how its own sandbox is to be.
 */
export interface AgentSpec {
  id: string
  title: string
  protocol: Config['agents'][string]['protocol']
  /** Program on PATH that is looked for and told `--version`; empty where there is none. */
  program: string
  /** Where it comes from, for people who lack it. */
  install: string
  /** Versions: older than `least` is refused, `known` ones were seen to work; others are tried all the same. */
  versions: { least?: string; known: readonly string[] }
  /**
   * Arguments. Without `{brief}` the brief is standard input. `{resume}`, `{wiring}` and `{naming}` stand for the arguments below,
   * where there is something to resume, a metered address, and a model that is named.
   */
  args: readonly string[]
  resume: readonly string[]
  /** How models are reached by a metered address: arguments, variables, and files in the agent's own folder. */
  wiring: {
    args: readonly string[]
    set: Readonly<Record<string, string>>
    files: Readonly<Record<string, string>>
  }
  /** Arguments that name the model, where one is named. */
  modelArgs: readonly string[]
  /** Variable that names the agent's own folder, where it keeps settings and sessions; null where it has none. */
  home: string | null
  dialect: keyof typeof import('./dialects/index.ts').DIALECTS
  /** What its figures count, where that is not as its dialect has it. */
  usage: 'step' | 'run' | null
  /** Variables that are set as they are here. */
  set: Readonly<Record<string, string>>
  /** Names of variables that are passed on where the caller has them. */
  env: readonly string[]
  hosts: readonly string[]
  callsModels: boolean
  /** A user's own login with the vendor: the hosts it is good for, and where it lies in the home folder. */
  login: { hosts: readonly string[]; files: readonly string[] } | null
  /** Whether it works by that login and not by the gateway. */
  byLogin: boolean
  /** Milliseconds between asking its processes to end and killing them. */
  graceMs: number
  model: string | null
  /** Tokens, for bare models. */
  context: number
  answer: number
  /** What is peculiar about it, for people. */
  notes: string
}

/** The agents that are known by name. None is installed or bundled by us. */
export const KNOWN_AGENTS: readonly AgentSpec[] = [claude, codex, gemini, opencode, pi, ...ACP_AGENTS]

/**
 * Returns the agents by id: those of the configuration, then the known ones whose id it does not take. An entry without a
 * command, under the id of a known agent, is that agent with what the entry says besides.
 *
 * @throws VT_CONFIG for an entry that has neither a command nor a known id
 */
export function agentsOf(config: Pick<Config, 'agents'>): AgentSpec[] {
  const own = Object.entries(config.agents).map(([id, entry]): AgentSpec => {
    const isBare = entry.protocol === 'ollama' || entry.protocol === 'openai'
    if (entry.command === undefined && !isBare) return adjusted(id, entry)
    const [program = '', ...args] = entry.command ?? []
    return {
      id,
      title: isBare ? `${entry.model}, in our own loop of tools` : `${program}, from the configuration`,
      protocol: entry.protocol,
      program,
      install: 'the configuration names it',
      versions: { known: [] },
      args,
      resume: entry.resume,
      wiring: { args: [], set: {}, files: {} },
      modelArgs: [],
      home: entry.home,
      dialect: entry.dialect,
      usage: entry.usage,
      set: entry.set,
      env: entry.env,
      hosts: entry.hosts,
      callsModels: isBare || entry.callsModels,
      login: null,
      byLogin: false,
      graceMs: entry.graceMs,
      model: entry.model,
      context: entry.context,
      answer: entry.answer,
      notes: 'Ended with its group.',
    }
  })
  return [...own, ...KNOWN_AGENTS.filter(({ id }) => !Object.hasOwn(config.agents, id))]
}

function adjusted(id: string, entry: Config['agents'][string]): AgentSpec {
  const known = KNOWN_AGENTS.find((spec) => spec.id === id)
  if (known === undefined) {
    const ids = KNOWN_AGENTS.map((spec) => spec.id)
    throw new ValuetrainError(
      'VT_CONFIG',
      `${CONFIG_FILE}: agents.${id}.command: is needed, since no known agent has this id${didYouMean(id, ids)}`,
      {
        kind: 'config',
        hint: 'write its program and arguments there; `valuetrain agents list` shows the known ones',
      },
    )
  }
  return {
    ...known,
    model: entry.model,
    env: [...known.env, ...entry.env],
    set: { ...known.set, ...entry.set },
    ...(entry.login
      ? { callsModels: false, hosts: [...known.hosts, ...entry.hosts, ...(known.login?.hosts ?? [])], byLogin: true }
      : { hosts: [...known.hosts, ...entry.hosts] }),
  }
}
