import type { AgentSpec } from '../agents.ts'
import { COMMON } from './common.ts'

/** Its providers at the metered address; the keys are names of variables. */
const PROVIDERS = JSON.stringify({
  providers: {
    anthropic: { baseUrl: '{url}', apiKey: '{key}' },
    openai: { baseUrl: '{url}/v1', apiKey: '{key}' },
    google: { baseUrl: '{url}/v1beta', apiKey: '{key}' },
  },
})

/** pi, by its JSON mode. */
export const pi: AgentSpec = {
  ...COMMON,
  id: 'pi',
  title: 'pi, by its JSON mode',
  program: 'pi',
  install: 'npm install -g @earendil-works/pi-coding-agent',
  versions: { known: [] },
  args: ['--mode', 'json', '-p', '{naming}', '{resume}'],
  modelArgs: ['--model', '{model}'],
  resume: ['--session', '{session}'],
  wiring: { args: [], set: {}, files: { 'models.json': PROVIDERS } },
  home: 'PI_CODING_AGENT_DIR',
  dialect: 'pi',
  set: { PI_OFFLINE: '1' },
  notes: 'Its models are named `provider/model`. Its figures come by the message and are added up.',
}
