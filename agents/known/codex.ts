import type { AgentSpec } from '../agents.ts'
import { COMMON } from './common.ts'

const PROVIDER =
  'model_providers.metered={name="metered",base_url="{url}/v1",wire_api="responses",env_key="OPENAI_API_KEY",request_max_retries=2,stream_max_retries=2}'

/** Codex, by `codex exec`. */
export const codex: AgentSpec = {
  ...COMMON,
  id: 'codex',
  title: 'Codex, by `codex exec`',
  program: 'codex',
  install: 'npm install -g @openai/codex',
  versions: { least: '0.100', known: ['0.169.0'] },
  args: ['exec', '{wiring}', '{naming}', '--json', '--skip-git-repo-check', '-C', '{cwd}', '-s', '{sandbox}', '{resume}', '-'],
  modelArgs: ['-m', '{model}'],
  resume: ['resume', '{session}'],
  wiring: {
    // Its search runs at the provider: it has a price of its own, and is a way out of the jail.
    args: ['-c', 'model_provider="metered"', '-c', PROVIDER, '-c', 'web_search="disabled"'],
    set: { OPENAI_API_KEY: '{key}' },
    files: {},
  },
  home: 'CODEX_HOME',
  dialect: 'codex',
  login: { hosts: ['chatgpt.com', 'auth.openai.com', 'api.openai.com'], files: ['.codex/auth.json'] },
  notes:
    'Its own sandbox needs namespaces, which our jail forbids, so that it is off where ours is. Its figures come once, for the run.',
}
