import { didYouMean, ValuetrainError } from '../core/errors.ts'
import type { GatedSkip } from '../core/gated-words.ts'
import type { Ambient } from './ambient.ts'
import { CHECKS, type Check, type Found } from './judge-files.ts'
import { dropRecord } from './records.ts'

/** Findings shown; more would only scroll the first away. */
const SHOWN = 12

/**
 * Tells what was found and returns the exit code, 1 when an error stands, and which gates were left out. What is skipped by VALUETRAIN_SKIP is
 * recorded with its reason and does not count; the integrity of sessions cannot be skipped.
 *
 * @param act what is refused, e.g. "this commit"
 * @throws VT_SKIP when a skip has no reason or names no check
 */
export async function conclude(
  ambient: Ambient,
  hook: string,
  act: string,
  found: readonly Found[],
): Promise<{ exit: number; skips: GatedSkip[] }> {
  const skip = skipOf(ambient.env)
  const isSkipped = ({ check }: Found) => skip?.checks.has(check as Check) === true
  const skipped = found.filter((one) => one.severity === 'error' && isSkipped(one))
  const skips = skip && skipped.length > 0 ? await recordSkip(ambient, hook, skip, skipped) : []
  const counted = found.filter((one) => !isSkipped(one))
  const errors = counted.filter(({ severity }) => severity === 'error')
  const shown = [...errors, ...counted.filter(({ severity }) => severity !== 'error')]
  if (errors.length > 0) ambient.say(`valuetrain: ${hook} refuses ${act}\n`)
  for (const { check, severity, message } of shown.slice(0, SHOWN)) {
    ambient.say(`  ${severity === 'error' ? '' : `${severity}: `}${printable(message)} [${check}]\n`)
  }
  if (shown.length > SHOWN) ambient.say(`  and ${shown.length - SHOWN} more\n`)
  if (errors.length === 0) return { exit: 0, skips }
  const names = [...new Set(errors.map(({ check }) => check))].filter((check) => check !== 'sessions')
  ambient.say(
    names.length === 0
      ? 'valuetrain: sessions are written by the conductor; put the file back with `git restore --staged --worktree -- <file>`\n'
      : `valuetrain: mend it, or for this once: VALUETRAIN_SKIP=${names.join(',')} VALUETRAIN_SKIP_REASON='why' (recorded)\n`,
  )
  return { exit: 1, skips }
}

interface Skip {
  checks: ReadonlySet<Check>
  reason: string
}

function skipOf(env: NodeJS.ProcessEnv): Skip | undefined {
  const names = (env.VALUETRAIN_SKIP ?? '').split(/[\s,]+/).filter((name) => name !== '')
  if (names.length === 0) return undefined
  const unknown = names.find((name) => !(CHECKS as readonly string[]).includes(name))
  if (unknown !== undefined) {
    throw new ValuetrainError(
      'VT_SKIP',
      `VALUETRAIN_SKIP names no check "${unknown.slice(0, 40)}"${didYouMean(unknown, CHECKS)}`,
      {
        hint: `it takes ${CHECKS.join(', ')}; the integrity of sessions cannot be skipped`,
      },
    )
  }
  const reason = (env.VALUETRAIN_SKIP_REASON ?? '').trim()
  if (reason === '') {
    throw new ValuetrainError('VT_SKIP', `VALUETRAIN_SKIP=${names.join(',')} has no reason`, {
      hint: "say why in VALUETRAIN_SKIP_REASON='…'; it is recorded",
    })
  }
  return { checks: new Set(names as Check[]), reason }
}

/** A skip holds for the one act it was given for, which is its expiry. */
async function recordSkip(ambient: Ambient, hook: string, { reason }: Skip, skipped: readonly Found[]): Promise<GatedSkip[]> {
  const ident = await ambient.git.run(['var', 'GIT_AUTHOR_IDENT'], { okExit: [0, 1, 128] })
  const name = /^(.*?) <[^>]*> \d+ /.exec(ident.stdout)?.[1]
  const names = [...new Set(skipped.map(({ check }) => check))]
  const checks = names.join(', ')
  const why = printable(reason).slice(0, 300)
  const message = `${checks} was skipped at ${hook} (${skipped.length} found), for this once: ${why}`
  await dropRecord(ambient, hook, { rule: 'check-skipped', severity: 'warning', message }, name ? { name } : {})
  ambient.say(`valuetrain: ${checks} skipped, and recorded why\n`)
  return names.map((check) => ({ gate: check === 'message' ? 'commit-message' : check, reason: why, by: name ?? 'a person' }))
}

/** Paths come from the change, so a terminal must not obey them. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '\uFFFD')
}
