import type { AgentSpec } from '../agents.ts'
import { COMMON } from './common.ts'

/** Without it an address of one's own is taken for another way to log in, which it then refuses. */
const SETTINGS = JSON.stringify({ security: { auth: { selectedType: 'gemini-api-key' } }, general: { disableAutoUpdate: true } })

/** Gemini CLI, by its stream-json output. */
export const gemini: AgentSpec = {
  ...COMMON,
  id: 'gemini',
  title: 'Gemini CLI, by its stream-json output',
  program: 'gemini',
  install: 'npm install -g @google/gemini-cli',
  versions: { least: '0.11', known: ['0.61.0'] },
  args: ['--output-format', 'stream-json', '--approval-mode', 'yolo', '{naming}', '{resume}'],
  modelArgs: ['-m', '{model}'],
  resume: ['--resume', '{session}'],
  wiring: {
    args: [],
    set: { GOOGLE_GEMINI_BASE_URL: '{url}', GEMINI_API_KEY: '{key}' },
    files: { '.gemini/settings.json': SETTINGS },
  },
  home: 'GEMINI_CLI_HOME',
  dialect: 'gemini',
  set: { GEMINI_CLI_TRUST_WORKSPACE: 'true' },
  login: { hosts: ['cloudcode-pa.googleapis.com', 'oauth2.googleapis.com'], files: ['.gemini/oauth_creds.json'] },
  notes: 'Takes the prompt from standard input. Its figures come once, for the run.',
}
