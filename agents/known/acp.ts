import type { AgentSpec } from '../agents.ts'
import { claude } from './claude.ts'
import { codex } from './codex.ts'
import { COMMON } from './common.ts'
import { gemini } from './gemini.ts'
import { opencode } from './opencode.ts'

const OPENAI = { args: [], set: { OPENAI_BASE_URL: '{url}/v1', OPENAI_API_KEY: '{key}' }, files: {} }

type Row = Pick<AgentSpec, 'id' | 'title' | 'program' | 'args' | 'versions' | 'install'> & Partial<AgentSpec>

const ROWS: readonly Row[] = [
  {
    id: 'claude-acp',
    title: 'Claude Code over ACP, by its adapter',
    program: 'claude-agent-acp',
    args: [],
    install: 'npm install -g @agentclientprotocol/claude-agent-acp',
    versions: { known: [] },
    wiring: claude.wiring,
    home: claude.home,
    login: claude.login,
  },
  {
    id: 'codex-acp',
    title: 'Codex over ACP, by its adapter',
    program: 'codex-acp',
    args: ['{wiring}'],
    install: 'npm install -g @agentclientprotocol/codex-acp',
    versions: { known: [] },
    wiring: codex.wiring,
    home: codex.home,
    login: codex.login,
  },
  {
    id: 'gemini-acp',
    title: 'Gemini CLI over ACP',
    program: 'gemini',
    args: ['--acp'],
    install: gemini.install,
    versions: { least: '0.30', known: [] },
    wiring: gemini.wiring,
    set: gemini.set,
    home: gemini.home,
    login: gemini.login,
  },
  {
    id: 'qwen-acp',
    title: 'Qwen Code over ACP',
    program: 'qwen',
    args: ['--acp'],
    install: 'npm install -g @qwen-code/qwen-code',
    versions: { known: [] },
    wiring: OPENAI,
  },
  {
    id: 'opencode-acp',
    title: 'OpenCode over ACP',
    program: 'opencode',
    args: ['acp'],
    install: opencode.install,
    versions: { least: '1.0', known: [] },
    wiring: opencode.wiring,
    set: opencode.set,
    home: opencode.home,
  },
  {
    id: 'goose-acp',
    title: 'Goose over ACP',
    program: 'goose',
    args: ['acp'],
    install: 'see https://block.github.io/goose',
    versions: { known: [] },
    wiring: {
      args: [],
      set: { OPENAI_HOST: '{url}', OPENAI_API_KEY: '{key}', ANTHROPIC_HOST: '{url}', ANTHROPIC_API_KEY: '{key}' },
      files: {},
    },
  },
]

/** Agents over the Agent Client Protocol: one client drives them all, and a session is loaded again where they can. */
export const ACP_AGENTS: readonly AgentSpec[] = ROWS.map((row) => ({
  ...COMMON,
  dialect: 'text',
  notes: 'Cancelled by the protocol first, then ended with its group. Sessions are loaded by the protocol.',
  ...row,
  protocol: 'acp',
}))
