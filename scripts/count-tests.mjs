/** Prints `N passed, N failed` of a test report in JSON. Without a report nothing has passed, and that is a failure. */
import { readFileSync } from 'node:fs'
import process from 'node:process'

const file = process.argv[2]
let report
try {
  report = JSON.parse(readFileSync(file, 'utf8'))
} catch (error) {
  console.error(`no test report: ${error.message}`)
  report = { numPassedTests: 0, numFailedTests: 1, testResults: [] }
}
// A file that does not load has no tests that could fail, and an error between tests belongs to none: each counts as one failure.
const broken = report.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
).length
const failed = Math.max(report.numFailedTests + broken, report.success ? 0 : 1)
console.log(`${report.numPassedTests} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1
