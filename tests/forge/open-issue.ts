// Opens one issue in the repository named by the first argument and prints its number: one of several racing processes.
import { systemClock } from '../../core/clock.ts'
import { systemIds } from '../../core/ids.ts'
import { openRepository } from '../../core/repository.ts'
import { localForge } from '../../forge/index.ts'

const [dir = '', title = '', remote] = process.argv.slice(2)
const repository = await openRepository(dir, process.env)
const config = { branch: 'main', remote: remote ?? null }
const issue = await localForge({ repository, config, clock: systemClock, ids: systemIds(systemClock) }).openIssue({
  title,
  body: '',
})
process.stdout.write(`${issue.number}\n`)
