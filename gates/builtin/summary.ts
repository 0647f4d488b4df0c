import { sha256 } from '../../core/canonical.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { failed, notApplicable, passed } from '../gate.ts'
import { SUMMARY_FILE } from '../subject.ts'
import { eventsOf } from '../view.ts'
import { builtin } from './builtin.ts'

/** The summary is what reviewers read first, so it has to be the one the conductor rendered from the facts. */
export const summary = builtin(
  {
    id: 'summary',
    title: 'The change summary is the rendered one',
    why: 'reviewers read the summary first, so nobody but the conductor writes it',
    subject: 'session',
  },
  {
    async judge(view) {
      const { ticket, entries } = view.context
      if (ticket === undefined) return notApplicable('there is no ticket')
      const path = `${ticketFolder(ticket)}/artifacts/${SUMMARY_FILE}`
      const recorded = eventsOf(entries, 'ARTIFACT_WRITTEN')
        .filter(({ data }) => data.path === path || data.path === `artifacts/${SUMMARY_FILE}` || data.path === SUMMARY_FILE)
        .at(-1)?.data.digest
      const text = await view.head.read(path)
      if (recorded === undefined) return failed('the session records no change summary')
      if (text === undefined) return failed(`${path} is missing`)
      const digest = sha256(text)
      if (digest !== recorded) return failed(`${path} is not the summary that was rendered`)
      return passed('the change summary is the one that was rendered', { evidence: { files: { [path]: digest } } })
    },
  },
)
