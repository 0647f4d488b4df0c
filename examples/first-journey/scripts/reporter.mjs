// How `npm test` shows its results: one line a test, and in the last line which ones failed.

import { isAbsolute, relative } from 'node:path'

export default async function* report(events) {
  const failed = []
  let count = 0
  for await (const { type, data } of events) {
    if (type === 'test:stderr') yield indent(data.message)
    if (type !== 'test:pass' && type !== 'test:fail') continue
    // A file that cannot even be loaded counts as one failed test and has its path for a name.
    const name = isAbsolute(data.name) ? relative(process.cwd(), data.name) : data.name
    count++
    yield `${type === 'test:pass' ? 'ok' : 'not ok'}  ${name}\n`
    if (type === 'test:pass') continue
    failed.push(`"${name}"`)
    const { error } = data.details
    yield indent(error.cause?.message ?? error.message)
  }
  yield failed.length === 0 ? `all ${count} tests passed\n` : `${failed.length} of ${count} tests failed: ${failed.join(', ')}\n`
}

function indent(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.map((line) => `        ${line}\n`).join('')
}
