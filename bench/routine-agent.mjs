/**
 * The agent of `bench/routine`: reads a brief on standard input, finds its planned behaviour for the issue and the attempt
 * in `tools/plan.json`, and does that. It is committed into the repository that the benchmark makes.
 */

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const brief = readFileSync(0, 'utf8')
const issue = Number(/^# \w+?_(\d+):/m.exec(brief)?.[1])
const attempt = Number(/attempt (\d+) of \d+/.exec(brief)?.[1])
const { factor, plan, limited } = JSON.parse(readFileSync('tools/plan.json', 'utf8'))[issue]
const behaviour = plan[Math.min(attempt, plan.length) - 1]
const file = `src/scale-${issue}.js`
const say = (event) => console.log(JSON.stringify(event))
const write = (body) => {
  mkdirSync('src', { recursive: true })
  writeFileSync(file, body)
  say({ type: 'edit', path: file })
}
const right = `/** Scales a number by ${factor}. */\nexport function scale(x) {\n  return x * ${factor}\n}\n`

const DOES = {
  right: () => write(right),
  wrong: () => write(right.replace(`x * ${factor}`, `x * ${factor + 1}`)),
  untidy: () => write(right.replaceAll('  return', '\treturn')),
  secret: () =>
    write(
      `${right}export const token = 'ghp_${'16C7e42F292c6912E7710c838347Ae178B4a'.replace('4a', String(issue % 10).repeat(2))}'\n`,
    ),
  nothing: () => {},
  shared: () => {
    write(right)
    appendFileSync('src/index.js', `export { scale as scale${issue} } from './scale-${issue}.js'\n`)
  },
  cheat: () => {
    write(right.replace(`x * ${factor}`, `x * ${factor + 1}`))
    writeFileSync(`spec/${issue}.json`, JSON.stringify({ factor: factor + 1 }))
  },
  commits: () => {
    write(right)
    execFileSync('git', ['add', '--all'])
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', 'commit', '--quiet', '--no-verify', '-m', 'mine'])
  },
  crash: () => {
    write(right.slice(0, 30))
    process.exit(1)
  },
  lies: () => {
    say({ type: 'ended', ok: true, said: 'all tests pass' })
    process.exit(0)
  },
  hang: () => {
    write(right.slice(0, 30))
    setInterval(() => {}, 1_000)
  },
  // A usage limit costs no attempt, so the clock says when it is over.
  limit: () => {
    if (Date.now() >= limited) return write(right)
    say({ type: 'ended', ok: false, said: `usage limit reached, again at ${new Date(limited).toISOString()}` })
    process.exit(1)
  },
}

say({ type: 'message', text: `issue ${issue}, attempt ${attempt}` })
DOES[behaviour]()
if (behaviour !== 'hang') say({ type: 'ended', ok: true, said: 'done' })
