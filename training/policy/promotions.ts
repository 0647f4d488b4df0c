/**
 * Which policy is in use. An alias is not a file: every promotion and every rollback is one new record, and the alias is
 * the one record that no other supersedes.
 */
import * as z from 'zod'
import { checkShape } from '../../core/config.ts'
import { Verdict } from '../../core/contracts/gate.ts'
import type { FileReader } from '../../core/contracts/method.ts'
import { Digest, Slug, ULID, Ulid } from '../../core/contracts/names.ts'
import { didYouMean, ValuetrainError } from '../../core/errors.ts'
import { parseFrontMatter, renderFrontMatter } from '../../core/frontmatter.ts'

export const POLICIES_FOLDER = '.valuetrain/policies'

/** `previous` is derived: what the champion's record superseded. */
export const ALIASES = ['champion', 'challenger'] as const
export const Alias = z.enum(ALIASES)
export type Alias = z.infer<typeof Alias>

const Front = z.strictObject({
  schema: z.literal(1),
  policy: Slug,
  alias: Alias,
  run: z.string().regex(/^[0-9a-f]{12}$/, 'is not a run'),
  /** SHA-256 of the run's `model.json`. */
  version: Digest,
  verdict: Verdict,
  /** A withdrawal leaves the alias standing for nothing; `run` says what was withdrawn. */
  act: z.enum(['promotion', 'rollback', 'withdrawal']),
  /** Records of the same policy and alias that this one replaces. */
  supersedes: z.array(Ulid).default([]),
  by: z.string().optional(),
  reason: z.string().optional(),
})

/** One record, `.valuetrain/policies/<policy>/promotions/<id>.md`. */
export type Promotion = z.infer<typeof Front> & { id: string }

/** Returns where a record lies. */
export function promotionFile({ policy, id }: Pick<Promotion, 'policy' | 'id'>): string {
  return `${POLICIES_FOLDER}/${policy}/promotions/${id}.md`
}

/** Returns a record's text; `parsePromotion` reads it back. */
export function renderPromotion({ id: _, ...front }: Promotion): string {
  if (front.act === 'withdrawal') {
    const reason = front.reason === undefined ? '' : `\n${front.reason}\n`
    return renderFrontMatter(front, `# Withdrawn: ${front.policy} ${front.alias} was run ${front.run}\n${reason}`)
  }
  const what = front.act === 'rollback' ? 'Rolled back' : 'Promoted'
  const why = front.reason === undefined ? '' : `\n${front.reason}\n`
  const instead = front.supersedes.length === 0 ? '' : `, in place of ${front.supersedes.join(' and ')}`
  return renderFrontMatter(front, `# ${what}: ${front.policy} ${front.alias} is run ${front.run}${instead}\n${why}`)
}

/** Returns the record a text holds. @throws VT_FRONT_MATTER, VT_CONFIG naming file and key */
export function parsePromotion(text: string, file: string): Promotion {
  const id = /([0-9A-Z]+)\.md$/.exec(file)?.[1] ?? ''
  const front = checkShape(Front, parseFrontMatter(text, file).data, file)
  if (ULID.test(id) && file.endsWith(promotionFile({ policy: front.policy, id }))) return { ...front, id }
  throw new ValuetrainError(
    'VT_PROMOTION_MISPLACED',
    `${file} is a record of the policy "${front.policy}" and does not lie where those lie`,
    {
      kind: 'config',
      hint: `move it to ${POLICIES_FOLDER}/${front.policy}/promotions/`,
    },
  )
}

/** Returns the names of policies that have records, sorted. @param reader of the default branch */
export async function policyNames(reader: FileReader & { folders(folder: string): Promise<string[]> }): Promise<string[]> {
  const names = await reader.folders(POLICIES_FOLDER)
  const counts = await Promise.all(names.map((name) => reader.list(`${POLICIES_FOLDER}/${name}/promotions`)))
  return names.filter((_, index) => (counts[index]?.length ?? 0) > 0)
}

/** Returns all records of a policy, oldest first. */
export async function readPromotions(reader: FileReader, policy: string): Promise<Promotion[]> {
  const folder = `${POLICIES_FOLDER}/${policy}/promotions`
  const files = (await reader.list(folder)).filter((name) => name.endsWith('.md')).map((name) => `${folder}/${name}`)
  const records = await Promise.all(files.map(async (file) => parsePromotion((await reader.read(file)) ?? '', file)))
  return records.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** What an alias's records come to. */
export interface AliasState {
  /** Undefined when nothing was promoted, or what was promoted was withdrawn. */
  current: Promotion | undefined
  /** What was in use before, which a rollback goes back to. */
  previous: Promotion | undefined
}

/**
 * Folds the records of one alias.
 *
 * @throws VT_POLICY_TWO_RECORDS naming both and the command that settles it; VT_PROMOTION_CHAIN when a record replaces
 *   one that is not there
 */
export function foldAlias(records: readonly Promotion[], policy: string, alias: Alias): AliasState {
  const own = records.filter((record) => record.policy === policy && record.alias === alias)
  const byId = new Map(own.map((record) => [record.id, record]))
  for (const { id, supersedes } of own) {
    const missing = supersedes.find((other) => !byId.has(other) || other === id)
    if (missing === undefined) continue
    throw new ValuetrainError('VT_PROMOTION_CHAIN', `record ${id} of ${policy} replaces ${missing}, which is not there`, {
      kind: 'config',
      hint: `restore ${promotionFile({ policy, id: missing })} from the history`,
    })
  }
  const [first, second] = currentRecords(own)
  if (first !== undefined && second !== undefined) {
    throw new ValuetrainError(
      'VT_POLICY_TWO_RECORDS',
      `two records say what the ${alias} of ${policy} is: ${first.id} (run ${first.run}) and ${second.id} (run ${second.run})`,
      {
        kind: 'config',
        hint: `settle it with \`valuetrain policy promote ${second.run} --as ${alias} --settle\`, or with the other run`,
        details: { records: [first.id, second.id], runs: [first.run, second.run] },
      },
    )
  }
  if (first?.act === 'withdrawal') return { current: undefined, previous: byId.get(first.supersedes[0] ?? '') }
  return { current: first, previous: first === undefined ? undefined : beforeIt(first, byId) }
}

/** Returns the records of one alias that nothing replaces; more than one is a conflict to settle. */
export function currentRecords(own: readonly Promotion[]): Promotion[] {
  const replaced = new Set(own.flatMap(({ supersedes }) => supersedes))
  return own.filter(({ id }) => !replaced.has(id))
}

/** A rollback undoes: what was in use before is what was in use before the record it went back to. */
function beforeIt(record: Promotion, byId: ReadonlyMap<string, Promotion>): Promotion | undefined {
  const [replaced] = record.supersedes
  const before = replaced === undefined ? undefined : byId.get(replaced)
  if (before?.act === 'withdrawal') return beforeIt(before, byId)
  if (record.act !== 'rollback' || before === undefined) return before
  const original = [...byId.values()]
    .filter(({ id, act, version }) => act === 'promotion' && version === record.version && id < record.id)
    .at(-1)
  return original === undefined ? undefined : beforeIt(original, byId)
}

/**
 * Where a run stands, in the words of model registries. The aliases are the stages: a challenger is in staging, a champion
 * in production, and what was either and is neither is archived. A run without a record has no stage.
 */
export const STAGES = ['staging', 'production', 'archived'] as const
export type Stage = (typeof STAGES)[number]

/** A run that records speak of, and where it stands by them. */
export interface StagedRun {
  run: string
  version: string
  stage: Stage
  /** Its latest record. */
  record: string
}

/** Returns the stage of every run that the records of a policy name, the latest spoken of first. */
export function stagesOf(records: readonly Promotion[], policy: string): StagedRun[] {
  const own = records.filter((record) => record.policy === policy)
  const held = (alias: Alias) =>
    new Set(
      currentRecords(own.filter((record) => record.alias === alias))
        .filter(({ act }) => act !== 'withdrawal')
        .map(({ run }) => run),
    )
  const [production, staging] = [held('champion'), held('challenger')]
  const latest = new Map(own.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((record) => [record.run, record]))
  return [...latest.values()]
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .map(({ run, version, id }) => {
      const stage = production.has(run) ? 'production' : staging.has(run) ? 'staging' : 'archived'
      return { run, version, stage, record: id }
    })
}

/**
 * Returns the record to write for a promotion.
 *
 * A verdict lets its run go from nothing or staging to production once. An archived run has left it behind: it goes back by
 * a rollback, through staging, or judged anew against what is in use now, as another run or in a validation phase.
 *
 * @param settle replaces every current record, also when there are two
 * @param isFresh whether the verdict was given for this very promotion, against what is in use
 * @throws VT_PROMOTION_TWICE when that version is what the alias stands for already, or is to challenge itself;
 *   VT_PROMOTION_REFUSED when its verdict is not "pass"; VT_PROMOTION_STAGE when an archived run is to be champion
 */
export function promote(
  records: readonly Promotion[],
  wanted: Pick<Promotion, 'id' | 'policy' | 'alias' | 'run' | 'version' | 'verdict' | 'by' | 'reason'>,
  { settle = false, isFresh = false }: { settle?: boolean; isFresh?: boolean } = {},
): Promotion {
  if (wanted.verdict !== 'pass') throw notPassed(wanted)
  const own = records.filter(({ policy, alias }) => policy === wanted.policy && alias === wanted.alias)
  if (!settle) {
    const inUse = ALIASES.find((alias) => foldAlias(records, wanted.policy, alias).current?.version === wanted.version)
    // A challenger that wins becomes champion; a champion has nobody to prove itself against but others.
    if (inUse === wanted.alias || inUse === 'champion') throw inUseAlready(wanted, inUse)
  }
  const stage = stagesOf(records, wanted.policy).find(({ run }) => run === wanted.run)?.stage
  if (wanted.alias === 'champion' && stage === 'archived' && !isFresh) throw isArchived(wanted)
  const supersedes = currentRecords(own).map(({ id }) => id)
  const { by, reason, ...rest } = wanted
  return { schema: 1, ...rest, act: 'promotion', supersedes, ...(by ? { by } : {}), ...(reason ? { reason } : {}) }
}

function notPassed({ run, verdict }: Pick<Promotion, 'run' | 'verdict'>): ValuetrainError {
  return new ValuetrainError('VT_PROMOTION_REFUSED', `run ${run} was judged "${verdict}", so it promotes nothing`, {
    kind: 'gate',
    hint: `\`valuetrain runs show ${run}\` says why; change what it says and train again`,
  })
}

function isArchived({ policy, run }: Pick<Promotion, 'policy' | 'run'>): ValuetrainError {
  return new ValuetrainError(
    'VT_PROMOTION_STAGE',
    `run ${run} of ${policy} is archived, and from there no run goes straight to production`,
    {
      kind: 'gate',
      hint: `\`valuetrain policy rollback ${policy}\` goes back to what was in use before; else let it prove itself with \`valuetrain policy promote ${run} --as challenger\`, or train it again against the champion of now`,
    },
  )
}

function inUseAlready({ policy, run }: Pick<Promotion, 'policy' | 'run'>, alias: Alias): ValuetrainError {
  return new ValuetrainError('VT_PROMOTION_TWICE', `run ${run} is ${alias} of ${policy} already`, {
    hint: `\`valuetrain policy show ${policy}\` shows what is in use; to go back, \`valuetrain policy rollback ${policy}\``,
  })
}

/** Returns the record that goes back to what was in use before. @throws VT_POLICY_NO_PREVIOUS */
export function rollback(
  records: readonly Promotion[],
  policy: string,
  act: { id: string; alias: Alias; by?: string | undefined; reason?: string | undefined },
): Promotion {
  const { current, previous } = foldAlias(records, policy, act.alias)
  if (current === undefined || previous === undefined) {
    throw new ValuetrainError(
      'VT_POLICY_NO_PREVIOUS',
      current === undefined
        ? `nothing was promoted to ${act.alias} of ${policy}`
        : `run ${current.run} is the first ${act.alias} of ${policy}; there is nothing to go back to`,
      { hint: `\`valuetrain policy show ${policy}\` shows its records; promote another run instead` },
    )
  }
  return recordAbout(previous, policy, 'rollback', act, current.id)
}

/** A record that speaks of a run promoted before, and takes the place of what is in use. */
function recordAbout(
  { run, version, verdict }: Promotion,
  policy: string,
  act: 'rollback' | 'withdrawal',
  { id, alias, by, reason }: { id: string; alias: Alias; by?: string | undefined; reason?: string | undefined },
  superseded: string,
): Promotion {
  const said = { ...(by ? { by } : {}), ...(reason ? { reason } : {}) }
  return { schema: 1, id, policy, alias, run, version, verdict, act, supersedes: [superseded], ...said }
}

/** Returns the record that takes a policy out of use without putting another in its place. @throws VT_POLICY_NO_PREVIOUS */
export function withdraw(
  records: readonly Promotion[],
  policy: string,
  act: { id: string; alias: Alias; by?: string | undefined; reason?: string | undefined },
): Promotion {
  const { current } = foldAlias(records, policy, act.alias)
  if (current === undefined) {
    throw new ValuetrainError('VT_POLICY_NO_PREVIOUS', `nothing is ${act.alias} of ${policy}, so nothing can be withdrawn`, {
      hint: `\`valuetrain policy show ${policy}\` shows its records`,
    })
  }
  return recordAbout(current, policy, 'withdrawal', act, current.id)
}

/** Returns an error for a policy that has no records. */
export function unknownPolicy(name: string, known: readonly string[]): ValuetrainError {
  return new ValuetrainError('VT_POLICY_UNKNOWN', `there is no policy "${name.slice(0, 80)}"${didYouMean(name, known)}`, {
    hint: known.length === 0 ? 'promote a run first: `valuetrain policy promote RUN`' : `policies: ${known.join(', ')}`,
  })
}
