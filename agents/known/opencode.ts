import type { AgentSpec } from '../agents.ts'
import { COMMON } from './common.ts'

/** Every provider of it at the metered address, and all tools allowed: the jail holds it, not its own questions. */
const SETTINGS = JSON.stringify({
  provider: {
    anthropic: { options: { baseURL: '{url}/v1', apiKey: '{key}' } },
    openai: { options: { baseURL: '{url}/v1', apiKey: '{key}' } },
    google: { options: { baseURL: '{url}/v1beta', apiKey: '{key}' } },
  },
  permission: { edit: 'allow', bash: 'allow', webfetch: 'deny' },
  share: 'disabled',
  autoupdate: false,
})

/** OpenCode, by `opencode run`. */
export const opencode: AgentSpec = {
  ...COMMON,
  id: 'opencode',
  title: 'OpenCode, by `opencode run`',
  program: 'opencode',
  install: 'npm install -g opencode-ai',
  versions: { least: '1.0', known: ['1.18.33'] },
  args: ['run', '--format', 'json', '{naming}', '{resume}', '--', '{brief}'],
  modelArgs: ['-m', '{model}'],
  resume: ['--session', '{session}'],
  wiring: { args: [], set: { OPENCODE_CONFIG_CONTENT: SETTINGS }, files: {} },
  home: 'XDG_DATA_HOME',
  dialect: 'opencode',
  set: { OPENCODE_DISABLE_AUTOUPDATE: '1', OPENCODE_DISABLE_MODELS_FETCH: '1' },
  notes: 'Its models are named `provider/model`. Its figures come by the step and are added up.',
}
