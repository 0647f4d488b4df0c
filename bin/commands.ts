import { nearest } from '../core/errors.ts'
import type { AnyCommand } from './command.ts'

/** One line of the table: what help lists, and where the command is. */
export interface CommandEntry {
  /** The words a person types, with single spaces. */
  readonly id: string
  readonly summary: string
  /** Heading in the overview. */
  readonly group: 'Begin' | 'Work' | 'Tickets' | 'Training' | 'Audit' | 'Rules' | 'Upkeep'
  /** How its arguments are typed, for the overview. */
  readonly usage?: string
  readonly load: () => Promise<{ default: AnyCommand }>
}

/** Every command. Nothing is found by scanning; a command is loaded when it is asked for and not before. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    id: 'journey',
    group: 'Begin',
    summary: 'Watch three issues travel into merged changes, in a throw-away place',
    load: () => import('./commands/journey.ts'),
  },
  {
    id: 'init',
    group: 'Begin',
    summary: 'Set this repository up, from what it already has',
    load: () => import('./commands/init.ts'),
  },
  {
    id: 'doctor',
    group: 'Begin',
    summary: 'Say what of the surroundings is missing, and what to do',
    load: () => import('./commands/doctor.ts'),
  },
  {
    id: 'issue new',
    group: 'Work',
    usage: '--title T',
    summary: 'Write an issue',
    load: () => import('./commands/issue/new.ts'),
  },
  { id: 'issue list', group: 'Work', summary: 'List the issues', load: () => import('./commands/issue/list.ts') },
  { id: 'issue show', group: 'Work', usage: 'N', summary: 'Show one issue', load: () => import('./commands/issue/show.ts') },
  { id: 'issue close', group: 'Work', usage: 'N', summary: 'Close an issue', load: () => import('./commands/issue/close.ts') },
  {
    id: 'run',
    group: 'Work',
    usage: 'ISSUE',
    summary: 'Work one issue to the end, or to where a person is needed',
    load: () => import('./commands/run.ts'),
  },
  {
    id: 'drive',
    group: 'Work',
    summary: 'Auto-Pilot: work what is ready in the queue',
    load: () => import('./commands/drive.ts'),
  },
  { id: 'status', group: 'Tickets', summary: 'Where every ticket stands', load: () => import('./commands/status.ts') },
  {
    id: 'ticket show',
    group: 'Tickets',
    usage: 'ISSUE',
    summary: 'Show one ticket: phase, items, gates, what is next',
    load: () => import('./commands/ticket/show.ts'),
  },
  {
    id: 'ticket tick',
    group: 'Tickets',
    usage: 'ISSUE ITEM',
    summary: 'Tick a checklist item whose evidence holds',
    load: () => import('./commands/ticket/tick.ts'),
  },
  {
    id: 'ticket approve',
    group: 'Tickets',
    usage: 'ISSUE [GATE]',
    summary: 'Say yes where a ticket waits for a person',
    load: () => import('./commands/ticket/approve.ts'),
  },
  {
    id: 'ticket override',
    group: 'Tickets',
    usage: 'ISSUE GATE',
    summary: 'Let a ticket past a gate, with a reason that is recorded',
    load: () => import('./commands/ticket/override.ts'),
  },
  {
    id: 'ticket release',
    group: 'Tickets',
    usage: 'ISSUE',
    summary: 'Give up a claim whose process is gone',
    load: () => import('./commands/ticket/release.ts'),
  },
  { id: 'pause', group: 'Tickets', usage: 'ISSUE', summary: 'Hold a ticket', load: () => import('./commands/pause.ts') },
  {
    id: 'resume',
    group: 'Tickets',
    usage: 'ISSUE',
    summary: 'Let a held ticket go on',
    load: () => import('./commands/resume.ts'),
  },
  {
    id: 'abort',
    group: 'Tickets',
    usage: 'ISSUE',
    summary: 'End a ticket for good, with a reason',
    load: () => import('./commands/abort.ts'),
  },
  {
    id: 'train',
    group: 'Training',
    usage: 'CONFIG',
    summary: 'Train a policy, measure it, judge it by statistics',
    load: () => import('./commands/train.ts'),
  },
  {
    id: 'eval',
    group: 'Training',
    usage: '[RUN]',
    summary: "Measure a run's policy again",
    load: () => import('./commands/eval.ts'),
  },
  { id: 'runs list', group: 'Training', summary: 'List the training runs', load: () => import('./commands/runs/list.ts') },
  {
    id: 'runs show',
    group: 'Training',
    usage: 'RUN',
    summary: 'Show one run, or write a page about it',
    load: () => import('./commands/runs/show.ts'),
  },
  {
    id: 'runs compare',
    group: 'Training',
    usage: 'RUN RUN',
    summary: 'Say what differs between two runs, and by how much',
    load: () => import('./commands/runs/compare.ts'),
  },
  {
    id: 'runs search',
    group: 'Training',
    usage: 'TERM',
    summary: 'Find runs by words and conditions',
    load: () => import('./commands/runs/search.ts'),
  },
  {
    id: 'sweep',
    group: 'Training',
    usage: 'FILE',
    summary: 'Search settings, and go on where a search was stopped',
    load: () => import('./commands/sweep.ts'),
  },
  {
    id: 'agents why',
    group: 'Training',
    usage: 'ISSUE',
    summary: 'Explain who was chosen to work an issue',
    load: () => import('./commands/agents/why.ts'),
  },
  {
    id: 'policy show',
    group: 'Training',
    usage: '[POLICY]',
    summary: 'Say which run each policy in use is',
    load: () => import('./commands/policy/show.ts'),
  },
  {
    id: 'policy promote',
    group: 'Training',
    usage: 'RUN',
    summary: "Put a run's policy into use",
    load: () => import('./commands/policy/promote.ts'),
  },
  {
    id: 'policy rollback',
    group: 'Training',
    usage: 'POLICY',
    summary: 'Put the policy before back into use',
    load: () => import('./commands/policy/rollback.ts'),
  },
  {
    id: 'export',
    group: 'Training',
    usage: 'POLICY --out DIR',
    summary: 'Write a policy as safetensors, ONNX or for TensorFlow.js',
    load: () => import('./commands/export.ts'),
  },
  {
    id: 'serve',
    group: 'Training',
    usage: 'POLICY',
    summary: 'Answer decisions over HTTP',
    load: () => import('./commands/serve.ts'),
  },
  {
    id: 'diagnose',
    group: 'Training',
    usage: 'CONFIG FILE',
    summary: 'Say what went wrong, from a log or a data file',
    load: () => import('./commands/diagnose.ts'),
  },
  {
    id: 'reward test',
    group: 'Training',
    usage: 'FILE',
    summary: 'Hold a reward against sample episodes',
    load: () => import('./commands/reward/test.ts'),
  },
  {
    id: 'accel install',
    group: 'Training',
    usage: 'gpu|cpu',
    summary: 'Install TensorFlow.js in a folder of its own',
    load: () => import('./commands/accel/install.ts'),
  },
  {
    id: 'accel remove',
    group: 'Training',
    summary: 'Remove it again',
    load: () => import('./commands/accel/remove.ts'),
  },
  {
    id: 'accel doctor',
    group: 'Training',
    summary: 'Say what there is to compute with',
    load: () => import('./commands/accel/doctor.ts'),
  },
  {
    id: 'gpu list',
    group: 'Training',
    summary: 'List graphics cards, here and where ssh reaches',
    load: () => import('./commands/gpu/list.ts'),
  },
  {
    id: 'gpu run',
    group: 'Training',
    usage: '[MACHINE]',
    summary: 'Run a trainer of your own on a lease that ends by itself',
    load: () => import('./commands/gpu/run.ts'),
  },
  {
    id: 'gpu reap',
    group: 'Training',
    summary: 'End leases that nobody keeps alive',
    load: () => import('./commands/gpu/reap.ts'),
  },
  {
    id: 'session show',
    group: 'Audit',
    usage: 'TICKET',
    summary: 'Show what happened on a ticket, as its session tells it',
    load: () => import('./commands/session/show.ts'),
  },
  {
    id: 'session log',
    group: 'Audit',
    usage: '[TICKET]',
    summary: 'List events, one a line',
    load: () => import('./commands/session/log.ts'),
  },
  {
    id: 'session verify',
    group: 'Audit',
    usage: '[TICKET]',
    summary: 'Check integrity, completeness, anchoring and policy of sessions',
    load: () => import('./commands/session/verify.ts'),
  },
  {
    id: 'session rollback',
    group: 'Audit',
    usage: 'TICKET --to EVENT',
    summary: 'Go back to an event; shows the plan first',
    load: () => import('./commands/session/rollback.ts'),
  },
  {
    id: 'report',
    group: 'Audit',
    summary: 'Throughput, times, flow efficiency, rework',
    load: () => import('./commands/report.ts'),
  },
  {
    id: 'cost report',
    group: 'Audit',
    summary: 'Add up what calls of models cost',
    load: () => import('./commands/cost/report.ts'),
  },
  {
    id: 'check',
    group: 'Rules',
    usage: '[--base REF]',
    summary: 'Judge the commits of this branch, as continuous integration does',
    load: () => import('./commands/check.ts'),
  },
  { id: 'gate list', group: 'Rules', summary: 'List the gates', load: () => import('./commands/gate/list.ts') },
  {
    id: 'gate plan',
    group: 'Rules',
    usage: '[GATE]',
    summary: 'Say which gates would be asked here, and why',
    load: () => import('./commands/gate/plan.ts'),
  },
  {
    id: 'gate run',
    group: 'Rules',
    usage: '[GATE]',
    summary: 'Ask gates about HEAD, in a clean checkout',
    load: () => import('./commands/gate/run.ts'),
  },
  {
    id: 'agents list',
    group: 'Rules',
    summary: 'List the agents, and which are here',
    load: () => import('./commands/agents/list.ts'),
  },
  {
    id: 'agents test',
    group: 'Rules',
    usage: 'AGENT',
    summary: 'Let one agent write one file in a throw-away place',
    load: () => import('./commands/agents/test.ts'),
  },
  { id: 'mode list', group: 'Rules', summary: 'List the nine modes', load: () => import('./commands/mode/list.ts') },
  { id: 'mode show', group: 'Rules', usage: 'MODE', summary: 'Show one mode', load: () => import('./commands/mode/show.ts') },
  { id: 'pipeline list', group: 'Rules', summary: 'List the pipelines', load: () => import('./commands/pipeline/list.ts') },
  {
    id: 'pipeline show',
    group: 'Rules',
    usage: 'NAME',
    summary: "Show a pipeline's phases",
    load: () => import('./commands/pipeline/show.ts'),
  },
  {
    id: 'new',
    group: 'Rules',
    usage: 'KIND NAME',
    summary: 'Write a gate, runtime, mode or pipeline to start from',
    load: () => import('./commands/new.ts'),
  },
  {
    id: 'config show',
    group: 'Upkeep',
    usage: '[PATH]',
    summary: 'Print the configuration that is read here',
    load: () => import('./commands/config/show.ts'),
  },
  {
    id: 'config why',
    group: 'Upkeep',
    usage: 'PATH',
    summary: 'Say what a key means, what it is, and where that comes from',
    load: () => import('./commands/config/why.ts'),
  },
  {
    id: 'config set',
    group: 'Upkeep',
    usage: 'PATH VALUE',
    summary: 'Change one key; comments stay',
    load: () => import('./commands/config/set.ts'),
  },
  {
    id: 'fix',
    group: 'Upkeep',
    usage: '[RECIPE]',
    summary: 'Run fixers over what is staged, and over nothing else',
    load: () => import('./commands/fix.ts'),
  },
  {
    id: 'hooks install',
    group: 'Upkeep',
    summary: 'Install git hooks that judge commits in every worktree',
    load: () => import('./commands/hooks/install.ts'),
  },
  {
    id: 'hooks uninstall',
    group: 'Upkeep',
    summary: 'Take the hooks away and put back what was there',
    load: () => import('./commands/hooks/uninstall.ts'),
  },
  {
    id: 'hooks status',
    group: 'Upkeep',
    summary: 'Say how the hooks are installed and what they noticed',
    load: () => import('./commands/hooks/status.ts'),
  },
  {
    id: 'hooks test',
    group: 'Upkeep',
    summary: 'Make a probe commit in a throw-away worktree and see which hooks fire',
    load: () => import('./commands/hooks/test.ts'),
  },
  {
    id: 'rescue list',
    group: 'Upkeep',
    summary: 'List work that was set aside before a worktree went',
    load: () => import('./commands/rescue/list.ts'),
  },
  {
    id: 'rescue restore',
    group: 'Upkeep',
    usage: 'REF',
    summary: 'Bring set-aside work back into a new folder',
    load: () => import('./commands/rescue/restore.ts'),
  },
  {
    id: 'gc',
    group: 'Upkeep',
    summary: 'Tidy what nobody needs any more; never anybody’s work',
    load: () => import('./commands/gc.ts'),
  },
  {
    id: 'completion',
    group: 'Upkeep',
    usage: 'SHELL',
    summary: 'Print completion for bash, zsh or fish',
    load: () => import('./commands/completion.ts'),
  },
]

/** What the words at the start of a command line name. */
export type Lookup =
  | { found: 'command'; entry: CommandEntry; rest: readonly string[] }
  | { found: 'topic'; topic: string; entries: readonly CommandEntry[] }
  | { found: 'nothing'; typed: string; near: string | undefined }

/** Returns the command with the most words that the command line begins with, or the nearest there is. */
export function lookUp(argv: readonly string[], table: readonly CommandEntry[] = COMMANDS): Lookup {
  const matches = (entry: CommandEntry) => entry.id.split(' ').every((word, index) => argv[index] === word)
  const entry = table.filter(matches).sort((a, b) => b.id.length - a.id.length)[0]
  if (entry) return { found: 'command', entry, rest: argv.slice(entry.id.split(' ').length) }
  const [topic = '', second] = argv
  const entries = table.filter(({ id }) => id.startsWith(`${topic} `))
  if (entries.length > 0 && (second === undefined || second.startsWith('-'))) return { found: 'topic', topic, entries }
  const ids = table.map(({ id }) => id)
  const typed = second !== undefined && !second.startsWith('-') ? `${topic} ${second}` : topic
  const near =
    entries.length > 0
      ? nearest(
          typed,
          entries.map(({ id }) => id),
        )
      : (nearest(typed, ids) ?? nearest(topic, [...new Set(ids.map((id) => id.split(' ')[0] as string))]))
  return { found: 'nothing', typed: entries.length > 0 ? typed : topic, near }
}
