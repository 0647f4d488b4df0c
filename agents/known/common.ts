import type { AgentSpec } from '../agents.ts'

/** What most agents have in common. */
export const COMMON = {
  protocol: 'exec',
  resume: [],
  wiring: { args: [], set: {}, files: {} },
  modelArgs: [],
  home: null,
  usage: null,
  set: {},
  env: [],
  hosts: [],
  callsModels: true,
  login: null,
  byLogin: false,
  graceMs: 2_000,
  model: null,
  context: 65_536,
  answer: 8_192,
} satisfies Partial<AgentSpec>
