import { mkdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { sha256 } from '../core/canonical.ts'
import { findCommitHooks } from '../core/commit-hooks.ts'
import type { BriefSources } from '../core/contracts/brief.ts'
import type { ModelRun } from '../core/contracts/model.ts'
import { ticketFolder } from '../core/contracts/names.ts'
import type { Runtime, TurnResult } from '../core/contracts/runtime.ts'
import type { Counter } from '../core/counter.ts'
import { ValuetrainError } from '../core/errors.ts'
import { isInside } from '../core/files.ts'
import { type Jail, jailLimits, openJail, toolFolders } from '../core/jail.ts'
import { chooseJail } from '../core/jail-probe.ts'
import { phaseOf } from '../modes/index.ts'
import { allowedTools } from '../modes/tools.ts'
import { briefSources, sourceDigests } from './brief-sources.ts'
import { ask, wasAsked } from './check-in.ts'
import { phaseGates } from './definitions.ts'
import type { Desk } from './desk.ts'
import { homeOf } from './homes.ts'
import { openIntents, openQuestion } from './intents.ts'
import type { Job, Step } from './job.ts'
import { asMetered, openModels } from './models.ts'
import { writePapers } from './record.ts'
import { chooseRoute, routedLabels } from './route.ts'
import { itemName, itemsHeld, sessionPlace } from './state.ts'
import { openVeil } from './veil.ts'

/** Enters the phase that is due and fixes in the log what it asks. */
export async function enterPhase({ desk, definitions, pipeline }: Job): Promise<Step> {
  const { next, attempts } = desk.state.control
  const phase = phaseOf(pipeline, next as string)
  const mode = definitions.method.modes.get(phase.mode)
  const asked = phaseGates(definitions, pipeline, phase.name)
  await desk.record('PHASE_ENTERED', {
    phase: phase.name,
    mode: phase.mode,
    ...(phase.child ? { child: phase.child } : {}),
    role: phase.role ?? mode?.roles[0] ?? 'conductor',
    attempt: (attempts[phase.name] ?? 0) + 1,
    required: asked.required,
    items: asked.items.flatMap(({ item, gates }) => (gates.length > 0 ? [{ item: item.id, required: item.required }] : [])),
    works: phase.works,
    children: phase.children,
  })
  return 'go-on'
}

/** Renders the brief of the attempt and records its digest. */
export async function briefRole(job: Job): Promise<Step> {
  const plan = await planOf(job)
  const question = plan ?? `Work on phase ${job.desk.state.control.phase} begins`
  const asked = await ask(job, 'before-work', question, 'continue', plan !== undefined)
  if (asked) return asked
  await chooseRoute(job)
  const { desk } = job
  const { phase, attempt } = desk.state.control
  const chosen = chooseRuntime(job)
  if ('needs' in chosen) return wait(job, 'agent-needed', chosen.needs)
  const sources = await briefSources(job)
  const brief = briefText(job, sources)
  const role = roleOf(job)
  await desk.record('BRIEFED', {
    phase: phase as string,
    attempt,
    role,
    runtime: chosen.runtime.id,
    digest: sha256(brief),
    bytes: Buffer.byteLength(brief),
    sources: sourceDigests(sources),
  })
  return 'go-on'
}

/** What the turn would take, where its runtime wants a person to say yes to that. */
async function planOf(job: Job): Promise<string | undefined> {
  const { desk, env, signal } = job
  const { phase, mode, child, attempt } = desk.state.control
  if (phase === undefined || mode === undefined || wasAsked(desk, 'before-work')) return undefined
  const chosen = chooseRuntime(job)
  if (!('runtime' in chosen) || chosen.runtime.plan === undefined) return undefined
  return chosen.runtime.plan({ ticket: desk.ticket, phase, mode, child, attempt, cwd: desk.worktree.dir, env, signal })
}

/** How long a ticket waits for the end of a usage limit that has none. */
const LOOK_AGAIN_MS = 15 * 60_000

/** Lets the runtime work one turn. A limit or a hand-off makes the ticket wait and costs no attempt. */
export async function workTurn(job: Job): Promise<Step> {
  const { desk } = job
  const { ports } = desk
  const { phase, mode, child, attempt } = desk.state.control
  const chosen = chooseRuntime(job)
  if ('needs' in chosen) return wait(job, 'agent-needed', chosen.needs)
  const probe = await chosen.runtime.probe()
  if (!probe.ready) return wait(job, 'agent-needed', `runtime ${chosen.runtime.id} is not ready: ${probe.why}`)
  const opened = desk.state.ledger.opened
  const turn = ports.ids.ulid()
  const from = await desk.tip()
  await writePapers(desk)
  const sources = await briefSources(job)
  const models = await openModels(job, { turn, role: roleOf(job), runtime: chosen.runtime })
  const jail = await openTurnJail(job, chosen.runtime, models?.access.url).catch(async (error: unknown) => {
    await models?.close()
    throw error
  })
  const counter = chosen.runtime.usesJail ? await openIntents(job, turn, toolsOf(job)) : undefined
  const refused: { tool: string; reason: string }[] = []
  const veil = openVeil((event) => {
    if (event.type === 'permission' && !event.allowed) refused.push({ tool: event.tool, reason: event.reason })
    ports.onTurn(desk.ticket, event)
  })
  const earlier = desk.state.ledger.sessions.get(sessionPlace(phase as string, chosen.runtime.id))
  const started = { turn, phase: phase as string, attempt, runtime: chosen.runtime.id, from }
  await desk.record('TURN_STARTED', chosen.runtime.usesJail ? { ...started, jailed: jail !== undefined } : started)
  const worked = chosen.runtime.turn(
    {
      turn,
      ticket: desk.ticket,
      issue: opened?.issue.number ?? 0,
      labels: labelsOf(job),
      phase: phase as string,
      mode: mode as NonNullable<typeof mode>,
      child,
      role: roleOf(job),
      attempt,
      brief: briefText(job, sources),
      cwd: desk.worktree.dir,
      artifacts: join(desk.folder, 'artifacts'),
      recipe: recipeOf(job),
      env: environmentOf(job, models, counter),
      tools: toolsOf(job),
      limits: job.definitions.config.limits,
      signal: models ? AbortSignal.any([job.signal, models.signal]) : job.signal,
      ...(models ? { models: models.access } : {}),
      home: homeOf(desk.ports.repository.stateDir, desk.ticket, chosen.runtime.id),
      ...(earlier === undefined ? {} : { resume: earlier }),
      ...(jail ? { jail } : {}),
    },
    veil.event,
  )
  const told = await worked.finally(() => closeTurn(jail, models, counter))
  const ended = veil.end(asMetered(told, models))
  const question = ended.outcome === 'completed' ? openQuestion(desk.state, turn) : undefined
  const result: TurnResult = question ? { ...ended, outcome: 'handed-off', reason: `it asks: ${question.text}` } : ended
  for (const refusal of refused) await desk.record('TOOL_REFUSED', { turn, ...refusal })
  await desk.record('TURN_ENDED', { turn, ...turnFacts(result) })
  if (question) await desk.record('INTENT_SETTLED', { intent: question.id, done: true, how: 'the ticket waits for an answer' })
  if (result.outcome === 'limited') {
    const { kind, needsUsd } = models?.stopped ?? {}
    if (kind === 'budget') return wait(job, 'budget', result.reason, result.until, needsUsd)
    // Where nobody says when a limit ends it is looked at again after some time, and not at once for ever.
    const until = result.until ?? new Date(ports.clock.now() + LOOK_AGAIN_MS).toISOString()
    return wait(job, 'usage-limit', result.reason, until)
  }
  if (result.outcome === 'handed-off') return wait(job, 'hand-off', result.reason)
  if (result.outcome === 'cancelled') return { stop: 'waiting', reason: result.reason }
  return 'go-on'
}

/** Returns the data of a failed attempt: another one while attempts are left, else a block. */
export function strike(
  { desk }: { desk: Pick<Desk, 'state'> },
  code: string,
  reasons: string[],
): { phase: string; attempt: number; outcome: 'iterate' | 'recycle' | 'block'; code: string; reasons: string[]; to?: string } {
  const { phase, attempt, strikes, attemptsAllowed, works, stretch } = desk.state.control
  const failed = (strikes[phase ?? ''] ?? 0) + 1
  const common = { phase: phase as string, attempt, reasons }
  if (failed >= attemptsAllowed) {
    const count = `${failed} failed ${failed === 1 ? 'attempt' : 'attempts'} at ${phase}`
    return { ...common, outcome: 'block', code, reasons: [count, ...reasons] }
  }
  if (works) return { ...common, outcome: 'iterate', code }
  return { ...common, outcome: 'recycle', code, to: stretch[0] as string }
}

/** Makes the ticket wait and says on what. */
export async function wait(
  { desk }: Pick<Job, 'desk'>,
  reason: 'agent-needed' | 'hand-off' | 'usage-limit' | 'approval' | 'children' | 'base-diverged' | 'budget' | 'clash',
  on: string,
  until?: string,
  needsUsd?: number,
): Promise<Step> {
  await desk.record('WAITING_BEGUN', {
    reason,
    on,
    ...(until ? { until } : {}),
    ...(needsUsd === undefined ? {} : { needsUsd }),
  })
  return { stop: 'waiting', reason: on }
}

/** Opens the jail of a turn where there is one; commands in it see the worktree, and of `.valuetrain` write the artifacts alone. */
async function openTurnJail({ desk, definitions }: Job, runtime: Runtime, modelsUrl?: string): Promise<Jail | undefined> {
  if (!runtime.usesJail) return undefined
  const { program } = await chooseJail(definitions.config.jail, desk.ports.env, desk.ports.isJailWaived)
  if (program === undefined) return undefined
  const artifacts = join(desk.folder, 'artifacts')
  await mkdir(artifacts, { recursive: true })
  const { protected: kept } = definitions.config
  const ports = modelsUrl === undefined ? [] : [Number(new URL(modelsUrl).port)]
  const hosts = runtime.hosts ?? []
  const { config } = definitions
  const tools = toolFolders(config, desk.ports.env)
  return openJail({
    program,
    worktree: desk.worktree.dir,
    artifacts,
    protected: [...kept, ...(await ownHooks(desk))],
    hosts,
    ports,
    tools,
    limits: jailLimits(config),
  })
}

/** Hooks that lie in the tree are nobody's to change but people's, even where the configuration does not say so. */
async function ownHooks({ ports, worktree }: Desk): Promise<string[]> {
  const folder = (await findCommitHooks(ports.repository, worktree.dir))?.folder
  return folder !== undefined && isInside(worktree.dir, folder) ? [`${relative(worktree.dir, folder)}/**`] : []
}

function environmentOf(job: Job, models: ModelRun | undefined, counter: Counter | undefined): Record<string, string> {
  const env = { ...job.env, ...models?.access.env }
  return counter?.env(env) ?? env
}

/** The jail first: with it the agent is gone, and what it still waited for can be counted. */
async function closeTurn(jail: Jail | undefined, models: ModelRun | undefined, counter: Counter | undefined): Promise<void> {
  try {
    await jail?.close()
    await counter?.close()
  } finally {
    await models?.close()
  }
}

function turnFacts(result: TurnResult) {
  const { outcome, reason, exit, signal, until, usage, quota, session, outputDigest, outputTail, decisions, handOff } = result
  const facts = { outcome, reason, exit, signal, until, usage, quota, session, outputDigest, outputTail, handOff }
  const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
  const trailers = Object.fromEntries(Object.entries(result.trailers ?? {}).filter(([name]) => !name.startsWith('Signed')))
  return {
    ...(known as typeof facts & { outcome: TurnResult['outcome']; reason: string }),
    decisions: [...(decisions ?? [])],
    ...(Object.keys(trailers).length === 0 ? {} : { trailers }),
  }
}

function chooseRuntime(job: Job): { runtime: Runtime } | { needs: string } {
  const { desk, definitions, agent } = job
  const { ports, state } = desk
  const number = state.ledger.opened?.issue.number ?? 0
  const labels = labelsOf(job)
  const runtimes = [...ports.runtimes, ...definitions.extensions.runtimes]
  const { phase: name, mode, child } = state.control
  const phase = name === undefined || mode === undefined ? {} : { phase: { name, mode, child } }
  return ports.choose({ number, labels }, { config: definitions.config, override: agent, runtimes, ...phase })
}

/** The issue's labels, and the arm that the router chose. */
function labelsOf({ desk, definitions, agent }: Job): readonly string[] {
  const { ports, state } = desk
  return routedLabels(ports, definitions.config, state.ledger.opened?.issue.labels ?? [], agent, state)
}

function recipeOf(job: Job) {
  const { definitions } = job
  const label = labelsOf(job).find((candidate) => candidate.startsWith('recipe:'))
  const name = label?.slice('recipe:'.length)
  const commands = name === undefined ? undefined : definitions.config.recipes[name]
  return name === undefined || commands === undefined ? undefined : { name, commands }
}

function roleOf({ desk, definitions, pipeline }: Job) {
  const phase = phaseOf(pipeline, desk.state.control.phase as string)
  return phase.role ?? definitions.method.modes.get(phase.mode)?.roles[0] ?? 'conductor'
}

/** What the role may use in this mode; the runner refuses everything else. */
function toolsOf({ desk, definitions, pipeline }: Job) {
  const phase = phaseOf(pipeline, desk.state.control.phase as string)
  const mode = definitions.method.modes.get(phase.mode)
  const role = definitions.method.roles.get(phase.role ?? mode?.roles[0] ?? 'conductor')
  return role && mode ? allowedTools(role, mode) : []
}

function briefText({ desk, definitions, pipeline }: Job, sources: BriefSources): string {
  const { control, ledger } = desk.state
  const phase = phaseOf(pipeline, control.phase as string)
  const mode = definitions.method.modes.get(phase.mode)
  const role = definitions.method.roles.get(phase.role ?? mode?.roles[0] ?? 'conductor')
  if (!mode || !role)
    throw new ValuetrainError('VT_METHOD', `mode ${phase.mode} or its role is not defined`, { kind: 'internal' })
  const asked = phaseGates(definitions, pipeline, phase.name)
  const held = itemsHeld(desk.state)
  const handOff = [...ledger.handOffs, ...ledger.notes].join('\n\n')
  return desk.ports.brief({
    ticket: desk.ticket,
    issue: ledger.opened?.issue ?? { number: 0, title: '', body: '', labels: [] },
    pipeline: pipeline.id,
    phase: phase.name,
    mode,
    child: phase.child,
    role,
    tools: allowedTools(role, mode),
    attempt: control.attempt,
    attempts: control.attemptsAllowed,
    items: asked.items.map(({ item }) => ({ ...item, done: held.has(itemName(phase.name, item.id)) })),
    deliverables: phase.artifacts ?? mode.deliverables.map(({ file }) => file),
    artifacts: `${ticketFolder(desk.ticket)}/artifacts`,
    gates: asked.specs.map(({ id, title }) => ({ id, title })),
    failures: lastFailures(desk.state),
    handOff: handOff === '' ? undefined : handOff,
    sources,
  })
}

/** What stood in the way at the attempt before: the gates' own words, with the tails of their output. */
function lastFailures({ control, ledger }: Desk['state']) {
  // What came back from the forge stands until the change is delivered again.
  const returned = (ledger.change?.feedback ?? []).map(({ from, name, text }) => ({
    gate: `${from} ${name}`,
    reasons: [`${from === 'review' ? 'asks for changes' : 'failed on the forge'}; its words are data`],
    outputTail: text,
  }))
  const decision = ledger.decisions.at(-1)
  if (decision === undefined || (decision.outcome !== 'iterate' && decision.outcome !== 'recycle')) return returned
  const failed = Object.values(control.results).filter(({ verdict }) => verdict === 'fail' || verdict === 'inconclusive')
  if (failed.length === 0) return [...returned, { gate: decision.code, reasons: decision.reasons }]
  return [...returned, ...failed.map(({ gate, reasons, evidence }) => ({ gate, reasons, outputTail: evidence.outputTail }))]
}
