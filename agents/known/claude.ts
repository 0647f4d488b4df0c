import type { AgentSpec } from '../agents.ts'
import { COMMON } from './common.ts'

const TOOLS = 'Read,Write,Edit,MultiEdit,Glob,Grep,Bash'

/** Claude Code, by its print mode. */
export const claude: AgentSpec = {
  ...COMMON,
  id: 'claude',
  title: 'Claude Code, by its print mode',
  program: 'claude',
  install: 'npm install -g @anthropic-ai/claude-code',
  versions: { least: '2.0', known: ['2.1.329'] },
  args: [
    '-p',
    '--output-format',
    'stream-json',
    '--verbose',
    '--permission-mode',
    'acceptEdits',
    '--allowedTools',
    TOOLS,
    '{naming}',
    '{resume}',
  ],
  modelArgs: ['--model', '{model}'],
  resume: ['--resume', '{session}'],
  wiring: { args: [], set: { ANTHROPIC_BASE_URL: '{url}', ANTHROPIC_API_KEY: '{key}' }, files: {} },
  home: 'CLAUDE_CONFIG_DIR',
  dialect: 'claude',
  set: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', CLAUDE_CODE_MAX_RETRIES: '2', DISABLE_AUTOUPDATER: '1' },
  login: { hosts: ['api.anthropic.com', 'console.anthropic.com', 'claude.ai'], files: ['.claude/.credentials.json'] },
  notes:
    'Ends on SIGTERM with exit code 0 and no result line, so a missing result is a failure. Its figures come once, for the run.',
}
