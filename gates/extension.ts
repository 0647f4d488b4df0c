import type { ExtensionAnswer, ExtensionJudge } from '../core/contracts/extension.ts'
import { Finding, VERDICTS } from '../core/contracts/gate.ts'
import { type Answer, inconclusive } from './gate.ts'
import type { View } from './view.ts'

/**
 * Judges by a repository's own code. It sees the two trees of the range and nothing else of ours, so its subject covers
 * all it reads. An answer of another shape is inconclusive, never a pass.
 */
export async function judgeExtension(
  judge: ExtensionJudge,
  options: Readonly<Record<string, unknown>>,
  view: View,
): Promise<Answer> {
  const { context, from, head } = view
  const said: ExtensionAnswer | undefined = await judge({
    options,
    ticket: context.ticket,
    base: from,
    head,
    changed: () => view.changes(),
    signal: context.signal,
  })
  const reasons = Array.isArray(said?.reasons) ? said.reasons.filter((reason) => typeof reason === 'string' && reason !== '') : []
  const findings = Finding.array().safeParse(said?.findings ?? [])
  if (!VERDICTS.includes(said?.verdict as ExtensionAnswer['verdict']) || (said?.verdict as string) === 'waived') {
    return inconclusive(`its code answered no verdict but ${JSON.stringify(said?.verdict)?.slice(0, 40)}`)
  }
  if (reasons.length === 0 || !findings.success)
    return inconclusive('its code answered without reasons, or with malformed findings')
  return { verdict: (said as ExtensionAnswer).verdict, reasons: reasons.slice(0, 10), findings: findings.data.slice(0, 50) }
}
