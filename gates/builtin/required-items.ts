import type { Finding, GateResult } from '../../core/contracts/gate.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { isDone, parseChecklist } from '../../modes/index.ts'
import { holds } from '../decide.ts'
import { type Answer, byFindings, notApplicable } from '../gate.ts'
import { requiredGates } from '../required.ts'
import { standingsOf } from '../standings.ts'
import type { View } from '../view.ts'
import { builtin } from './builtin.ts'

/**
 * Inside a phase an item is done when the gates that show it hold for the present work, whatever its tick says. Where no
 * phase is at hand, on a pull request, the checklists that the range brings have to be ticked.
 */
export const requiredItems = builtin(
  {
    id: 'required-items',
    title: 'No required item is open',
    why: 'a phase is done when all that it asks is done',
    subject: 'session',
  },
  {
    async judge(view, _options, results) {
      const { pipeline, phase, ticket } = view.context
      if (pipeline !== undefined && phase !== undefined) return ofPhase(view, pipeline, phase, results)
      const tickets = await view.tickets()
      if (tickets.length === 0 && ticket === undefined) return notApplicable('the change belongs to no ticket')
      return ofChecklists(view, tickets)
    },
  },
)

async function ofPhase(view: View, pipeline: string, phase: string, results: readonly GateResult[]): Promise<Answer> {
  const { config, method } = view.context
  const { items } = requiredGates({ gates: view.gates(), config, method, pipeline, phase })
  const bound = items.filter(({ item }) => item.required)
  const standings = await standingsOf([...new Set(bound.flatMap(({ gates }) => gates))], results, view)
  const findings = bound.flatMap(({ item, gates: shownBy }): Finding[] => {
    if (shownBy.length === 0) {
      const message = `item "${item.id}" stands for a command that the configuration does not name`
      return [{ rule: 'item-unnamed', severity: 'warning', message }]
    }
    const open = shownBy.filter((gate) => gate !== 'required-items' && !holds(standings.get(gate) ?? 'missing'))
    if (open.length === 0) return []
    const told = open.map((gate) => `${gate} is ${standings.get(gate) ?? 'missing'}`).join(', ')
    // A person's word is asked for by its own gate, which holds the ticket; failing here, too, would count as a failed attempt.
    const severity = item.evidence.kind === 'approval' ? 'notice' : 'error'
    return [{ rule: 'item-open', severity, message: `item "${item.id}" is open: ${told}` }]
  })
  return byFindings(findings, `${bound.length} required ${bound.length === 1 ? 'item is' : 'items are'} done`)
}

async function ofChecklists(view: View, tickets: readonly string[]): Promise<Answer> {
  const findings: Finding[] = []
  for (const ticket of tickets) {
    const path = `${ticketFolder(ticket)}/checklist.md`
    const text = await view.head.read(path)
    if (text === undefined) continue
    try {
      const open = parseChecklist(text, path).filter((item) => item.required && !isDone(item))
      for (const { id, phase } of open) {
        findings.push({ rule: 'item-open', severity: 'error', message: `${ticket}: item "${id}" of ${phase} is open`, path })
      }
    } catch (error) {
      if (!(error instanceof ValuetrainError)) throw error
      findings.push({ rule: 'checklist-unreadable', severity: 'error', message: error.message, path })
    }
  }
  return byFindings(findings, 'every required item is ticked')
}
