import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Takes a lock file that holds the taker's process id, waits while a living process has it, and returns the function
 * that releases it. A lock whose process is gone is taken over.
 */
export async function lock(file, { waitMs = 300_000 } = {}) {
  await mkdir(dirname(file), { recursive: true })
  const until = Date.now() + waitMs
  for (;;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return () => rm(file, { force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => '0'))
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true })
    else if (Date.now() > until) throw new Error(`${file} is held by process ${holder}; remove it when that is none of yours`)
    else await delay(100)
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
