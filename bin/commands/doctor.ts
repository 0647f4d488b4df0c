import { release } from 'node:os'
import { findTickets } from '../../conductor/sources.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { chooseJail, tryEscapes } from '../../core/jail-probe.ts'
import { readerAt } from '../../core/reader.ts'
import { openRepository } from '../../core/repository.ts'
import { inspectSurroundings, type SurroundingFinding } from '../../core/surroundings.ts'
import { resolveCommit } from '../../core/tree.ts'
import { readIssueFiles } from '../../forge/index.ts'
import { GUARD_RAILS, resolveGates } from '../../gates/index.ts'
import { inspectHooks, mendHooksPath } from '../../hooks/inspect.ts'
import { loadMethod, SPEC_RULES, type SpecAnswer, type SpecFacts, type SpecRule } from '../../modes/index.ts'
import { auditTickets } from '../audit.ts'
import { defineCommand, flag } from '../command.ts'
import type { Context } from '../context.ts'
import { type Paint, paintFor } from '../display/paint.ts'
import { clean, counted, table } from '../display/text.ts'
import { ownGitDir } from '../hook-program.ts'
import { openHere, openHosted } from '../wiring.ts'

export default defineCommand({
  description:
    'Looks at everything around: Node, git, identity, repository, configuration, remote, commands, hooks, disk, leftovers, agents on PATH. Each finding says what to do. A probe commit in a throw-away worktree shows whether hooks fire. Changes nothing unless told to mend. With --spec it lists the rules of the methodology and whether this repository holds them; with --jail it tries to get out of the jail, in a temporary folder. Exit code 1 when something is in the way or broken.',
  examples: [
    { does: 'List the rules and how they are held', line: 'doctor --spec' },
    { does: 'Prove the jail by trying to get out of it', line: 'doctor --jail' },
  ],
  flags: {
    spec: flag.switch('List each rule of the methodology and whether this repository holds it.'),
    jail: flag.switch('Build a jail and try each known way out of it.'),
    mend: flag.switch('Make core.hooksPath absolute again where husky put its relative path back.'),
  },
  json: true,
  async run(context, { flags }) {
    if (flags.jail) return tellJail(context, flags.json)
    if (flags.mend && (await mendHooksPath(await openRepository(context.cwd, context.env)))) {
      context.stderr.write('core.hooksPath is absolute again\n')
    }
    return flags.spec ? tellSpec(context, flags.json) : tellSurroundings(context, flags.json)
  },
})

async function tellSurroundings(context: Context, json: boolean): Promise<number> {
  const forge = await askForge(context)
  const around = await inspectSurroundings({
    cwd: context.cwd,
    env: forge.env,
    node: process.versions.node,
    platform: process.platform,
    release: release(),
  })
  const findings = [...(await withHooks(context, around)), ...forge.findings]
  const failed = findings.filter(({ level }) => level === 'fail').length
  if (json) context.stdout.write(`${JSON.stringify({ ok: failed === 0, findings })}\n`)
  else context.stdout.write(`${findingsText(findings, paintFor(context))}\n`)
  return failed > 0 ? 1 : 0
}

/** Looks at a forge on another machine, where one is configured; git is then asked to speak with it as it will later. */
async function askForge(context: Context): Promise<{ env: NodeJS.ProcessEnv; findings: SurroundingFinding[] }> {
  const { env } = context
  // Without a repository, or with a configuration that does not read, the surroundings say so.
  const here = await openHere(context).catch(() => undefined)
  if (here?.config.forge !== 'github') return { env, findings: [] }
  const { inspectForge, withoutCredentials } = await import('../../forge/github/index.ts')
  try {
    const { forge } = await openHosted(context, here.repository, here.config, 0)
    const access = await forge.gitAccess()
    const findings = await inspectForge(forge, here.config, env, here.repository.git)
    return { env: { ...withoutCredentials(env), ...access.env }, findings }
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    return { env, findings: [{ id: 'forge', level: 'fail', what: error.message, todo: error.hint ?? null }] }
  }
}

/** Puts what a probe commit shows in the place of what files and settings alone tell about hooks. */
async function withHooks(context: Context, around: readonly SurroundingFinding[]): Promise<SurroundingFinding[]> {
  const at = around.findIndex(({ id }) => id === 'hooks')
  if (at < 0) return [...around]
  const repository = await openRepository(context.cwd, context.env)
  const hooks = await inspectHooks(repository, await ownGitDir(context), context.ids.ulid()).catch(
    (error: unknown): SurroundingFinding[] => {
      if (!(error instanceof ValuetrainError)) throw error
      return [{ id: 'hooks', level: 'fail', what: error.message, todo: error.hint ?? null }]
    },
  )
  return [...around.slice(0, at), ...hooks, ...around.slice(at).filter(({ id }) => id !== 'hooks')]
}

function findingsText(findings: readonly SurroundingFinding[], paint: Paint): string {
  const word = { ok: paint.good('ok'), warn: paint.warn('warn'), fail: paint.bad('fail') }
  const lines = findings.flatMap(({ id, level, what, todo }) => [
    [word[level], id, what],
    ...(todo === null ? [] : [['', '', paint.dim(`→ ${todo}`)]]),
  ])
  const count = (level: SurroundingFinding['level']) => findings.filter((finding) => finding.level === level).length
  const end =
    count('fail') > 0
      ? paint.bad(`${counted(count('fail'), 'thing')} in the way`)
      : count('warn') > 0
        ? `ready, with ${counted(count('warn'), 'warning')}`
        : paint.good('ready')
  return `${table(lines)}\n\n${end}`
}

async function tellJail(context: Context, json: boolean): Promise<number> {
  const { program, why } = await chooseJail('required', context.env)
  const attempts = await tryEscapes(program as string, context.env)
  const escapes = attempts.filter(({ escaped }) => escaped).length
  if (json) {
    context.stdout.write(`${JSON.stringify({ ok: escapes === 0, jail: why, attempts })}\n`)
    return escapes > 0 ? 1 : 0
  }
  const paint = paintFor(context)
  const rows = attempts.map((attempt) => [
    attempt.escaped ? paint.bad('escaped') : paint.good('held'),
    attempt.tried,
    paint.dim(clean(attempt.why)),
  ])
  const end =
    escapes > 0
      ? paint.bad(`${counted(escapes, 'way')} out of the jail`)
      : paint.good(`the jail (${clean(why)}) held against ${counted(attempts.length, 'attempt')}`)
  context.stdout.write(`${table(rows)}\n\n${end}\n`)
  return escapes > 0 ? 1 : 0
}

async function tellSpec(context: Context, json: boolean): Promise<number> {
  const facts = await specFacts(context)
  const rows = SPEC_RULES.map(({ id, part, text, check }) => ({ id, part, text, ...check(facts) }))
  const bad = rows.filter(({ state }) => state === 'broken').length
  if (json) context.stdout.write(`${JSON.stringify({ ok: bad === 0, rules: rows })}\n`)
  else context.stdout.write(`${rulesText(rows, paintFor(context))}\n`)
  return bad > 0 ? 1 : 0
}

type Row = Pick<SpecRule, 'id' | 'part' | 'text'> & SpecAnswer

function rulesText(rows: readonly Row[], paint: Paint): string {
  const word = { held: paint.good('held'), broken: paint.bad('broken'), 'not-applicable': paint.dim('n/a') }
  const parts = [...new Set(rows.map(({ part }) => part))]
  const sections = parts.map((part) => {
    const own = rows.filter((row) => row.part === part)
    return `${paint.bold(part)}\n${table(
      own.map(({ state, id, text, why }) => [word[state], id, text, paint.dim(why)]),
      2,
    )}`
  })
  const bad = rows.filter(({ state }) => state === 'broken').length
  const end = bad > 0 ? paint.bad(`${counted(bad, 'rule')} broken`) : paint.good('no rule is broken')
  return [...sections, end].join('\n\n')
}

/** Tickets and definitions are the committed ones; issues are read as they lie in the working tree. */
async function specFacts(context: Context): Promise<SpecFacts> {
  const { repository, reader, config } = await openHere(context)
  const method = await loadMethod(reader, config)
  const gates = resolveGates({ config, method })
  const found = await findTickets(repository, config)
  const audits = new Map((await auditTickets(repository, config, () => true)).map((audit) => [audit.ticket, audit]))
  const tickets = await Promise.all(
    found.map(async ({ ticket, session, done, source }) => {
      const audit = audits.get(ticket)
      const rev = source === 'default' ? `refs/heads/${config.branch}` : `refs/heads/phase/${ticket}`
      const commit = await resolveCommit(repository.git, rev)
      const checklist =
        commit === undefined ? undefined : await readerAt(repository.git, commit).read(`${ticketFolder(ticket)}/checklist.md`)
      return {
        ticket,
        entries: session.entries,
        done,
        checklist,
        integrity: audit?.integrity ?? ('intact' as const),
        completeness: audit?.completeness ?? ('unknown' as const),
        policy: audit?.policy ?? ('unknown' as const),
      }
    }),
  )
  const { issues } = await readIssueFiles(reader)
  return { config, method, gates: new Set([...gates.keys()]), guardRails: new Set(GUARD_RAILS), tickets, issues }
}
