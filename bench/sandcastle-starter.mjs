/**
 * Copied beside an installed `@ai-hero/sandcastle`: says that it is ready, then reads lines `{dir, names}` and starts one
 * `run()` a name, all at once; answers each line by one that begins with `::`.
 */
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { claudeCode, run } from '@ai-hero/sandcastle'
import { noSandbox } from '@ai-hero/sandcastle/sandboxes/no-sandbox'

const say = (value) => process.stdout.write(`::${JSON.stringify(value)}\n`)

async function start(dir, name) {
  try {
    const { commits } = await run({
      agent: claudeCode('none', { captureSessions: false }),
      sandbox: noSandbox(),
      cwd: dir,
      prompt: 'Do it.',
      branchStrategy: { type: 'branch', branch: `peer/${name}` },
      logging: { type: 'file', path: join(import.meta.dirname, 'logs', `${name}.log`) },
    })
    return { name, done: commits.length === 1, ...(commits.length === 1 ? {} : { problem: `${commits.length} commits` }) }
  } catch (error) {
    return { name, done: false, problem: String(error?.message ?? error).slice(0, 300) }
  }
}

say([])
for await (const line of createInterface({ input: process.stdin })) {
  const { dir, names } = JSON.parse(line)
  say(await Promise.all(names.map((name) => start(dir, name))))
}
