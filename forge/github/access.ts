import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Credentials } from './credentials.ts'
import type { Place } from './place.ts'

/** Who a token is sent as; GitHub looks at the token only. */
const USER = 'x-access-token'

/** Surroundings for a git that speaks with the forge. */
export interface GitAccess {
  env: Record<string, string>
  /** Folder with program and socket; holds no secret. Whoever ends without `close` removes it. */
  folder: string
  close(): Promise<void>
}

/**
 * Opens a way for git to ask for the token: a program of ours as GIT_ASKPASS, which asks a Unix socket in a folder that only
 * this user can enter. The token itself is in no argument, address, configuration, file or environment; it is asked for anew
 * each time, so that an App's may change meanwhile. Only questions for the forge's own host are answered. Helpers that keep
 * passwords are switched off for these calls, or they would write the token down.
 *
 * @param env what git is started with otherwise, for settings that are handed down in it
 */
export async function openGitAccess(place: Place, credentials: Credentials, env: NodeJS.ProcessEnv): Promise<GitAccess> {
  const folder = await mkdtemp(join(tmpdir(), 'vt-ask-'))
  await chmod(folder, 0o700)
  const socket = join(folder, 's')
  const origin = originOf(place)
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.on('error', () => {})
    let question = ''
    connection.on('data', (chunk) => {
      question += chunk.toString('utf8')
      if (question.length > 4096) connection.destroy()
    })
    connection.on('end', async () => {
      // "Password for 'https://x-access-token@github.com': "
      const asked = /'([a-z]+:\/\/[^']+)'/.exec(question)?.[1] ?? ''
      const isOurs = URL.canParse(asked) && new URL(asked).origin === origin
      connection.end(isOurs ? await credentials.token().catch(() => '') : '')
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve))
  // It must not keep a program alive that has nothing else to do.
  server.unref()
  const ask = join(folder, 'ask')
  await writeFile(join(folder, 'ask.cjs'), program(socket), { mode: 0o600 })
  await writeFile(ask, script(process.execPath, join(folder, 'ask.cjs')), { mode: 0o700 })
  let isOpen = true
  return {
    folder,
    env: { GIT_ASKPASS: ask, SSH_ASKPASS_REQUIRE: 'never', ...settings(env, [['credential.helper', '']]) },
    async close() {
      if (!isOpen) return
      isOpen = false
      await new Promise((resolve) => server.close(resolve))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function originOf({ api, host }: Place): string {
  return new URL(`${new URL(api).protocol}//${host}`).origin
}

/** Adds settings to those that are handed down in the environment already. */
function settings(env: NodeJS.ProcessEnv, pairs: readonly [string, string][]): Record<string, string> {
  const count = Number(env.GIT_CONFIG_COUNT ?? 0) || 0
  return {
    ...Object.fromEntries(
      pairs.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${count + at}`, key],
        [`GIT_CONFIG_VALUE_${count + at}`, value],
      ]),
    ),
    GIT_CONFIG_COUNT: String(count + pairs.length),
  }
}

/** Only the password needs a program that can speak with a socket; the name is known here. */
function script(node: string, file: string): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
  return `#!/bin/sh
case "$1" in
  Username*) echo ${USER} ;;
  Password*) printf '%s' "$1" | ${quote(node)} ${quote(file)} ;;
  *) exit 1 ;;
esac
`
}

/** Hands the question on and the answer back. A socket that is gone answers nothing, which git is told as a wrong password. */
function program(socket: string): string {
  return `const { readFileSync, writeSync } = require('node:fs')
const connection = require('node:net').connect(${JSON.stringify(socket)})
connection.on('error', () => {})
connection.on('data', (answer) => writeSync(1, answer))
connection.end(readFileSync(0))
`
}
