import { failed, passed } from '../gate.ts'
import { builtin } from './builtin.ts'

/** Work that changed nothing but its own record is not work; a run that ends with it is blocked as `nothing-changed`. */
export const change = builtin(
  {
    id: 'change',
    title: 'Something changed',
    why: 'a ticket whose branch changes nothing outside .valuetrain has nothing to deliver',
    subject: 'range',
  },
  {
    async judge(view) {
      const changed = (await view.changes()).filter(({ path }) => !path.startsWith('.valuetrain/'))
      if (changed.length > 0)
        return passed(`${changed.length} ${changed.length === 1 ? 'file' : 'files'} changed outside .valuetrain`)
      const message = 'nothing-changed: no file outside .valuetrain differs from the base'
      return failed(message, { findings: [{ rule: 'nothing-changed', severity: 'error', message }] })
    },
  },
)
