import type { Finding } from '../../core/contracts/gate.ts'
import { redactSecrets } from '../../core/secrets.ts'
import type { EvidenceStanding } from './evidence.ts'
import type { RangeCommit } from './range.ts'

/** A commit of the range with what shows that its tree went through the gates. */
export interface CheckedCommit extends RangeCommit {
  evidence: EvidenceStanding
}

/**
 * Returns a finding for each commit that went round the gates. On a ticket's branch that is an error, since everything
 * there comes through the conductor or a hook; elsewhere it is told and no more, so that somebody who has no hooks is
 * judged by what the head is.
 */
export function commitFindings(commits: readonly CheckedCommit[], ticket: string | undefined): Finding[] {
  return commits.flatMap(({ commit, title, evidence }): Finding[] => {
    const name = `commit ${commit.slice(0, 9)} (${redactSecrets(title).text.slice(0, 60)})`
    if (evidence === 'missing') {
      const severity = ticket === undefined ? 'notice' : 'error'
      return [{ rule: 'ungated-commit', severity, message: `${name} was not seen by any gate before this check`, commit }]
    }
    if (evidence === 'stale') {
      const severity = ticket === undefined ? 'notice' : 'warning'
      return [
        { rule: 'evidence-stale', severity, message: `${name} was judged by other gates than those the base has now`, commit },
      ]
    }
    return []
  })
}
