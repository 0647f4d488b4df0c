import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ValuetrainError } from '../core/errors.ts'
import { peopleEvidenceRef } from '../core/evidence-refs.ts'
import { writeNote } from '../core/files.ts'
import { foldGatedCommits } from '../core/gated-commits.ts'
import type { Ambient } from './ambient.ts'
import type { PushedRef } from './push.ts'

/** Milliseconds the evidence may take to go; the push that waits for it is what a person came for. */
const LIMIT_MS = 20_000
/** A remote with a name; what is pushed to an address by hand is left alone. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._/-]*$/

/**
 * Sends this clone's evidence of gated commits along with branches, so that `check` elsewhere knows what was judged here. It
 * is one more push, without hooks, prompts or a terminal, in a process group that ends when its time is over; what becomes of
 * it is no reason to refuse anything. `git config valuetrain.pushEvidence false` leaves it out.
 *
 * Only this clone writes its ref, so that a chain which `gc` dropped and which began anew may take the place of the old one:
 * if the remote's is still the one that was sent last.
 */
export async function sendEvidence(ambient: Ambient, remote: string, refs: readonly PushedRef[]): Promise<void> {
  if (!NAME.test(remote) || !refs.some((ref) => ref.remote.startsWith('refs/heads/'))) return
  const { git, commonDir } = ambient
  const stateDir = join(commonDir, 'valuetrain')
  try {
    await foldGatedCommits({ git, commonDir, stateDir })
    const ref = await peopleEvidenceRef(stateDir)
    const tip = (await git.run(['rev-parse', '--verify', '--quiet', ref], { okExit: [0, 1] })).stdout.trim()
    const note = join(stateDir, 'evidence-sent.json')
    const sent = await sentTips(note)
    const last = sent[remote] ?? ''
    if (tip === last) return
    const { stdout } = await git.run(['config', '--type=bool', '--get', 'valuetrain.pushEvidence'], { okExit: [0, 1, 128] })
    if (stdout.trim() === 'false') return
    const lease = `--force-with-lease=${ref}:${last}`
    await git.run(['push', '--quiet', '--no-verify', lease, '--', remote, `${tip}:${ref}`], {
      env: silence(ambient.env),
      timeoutMs: LIMIT_MS,
    })
    await writeNote(note, `${JSON.stringify({ ...sent, [remote]: tip })}\n`)
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    const why = String(error.details.stderr ?? error.message)
      .trim()
      .split('\n')[0]
      ?.slice(0, 200)
    ambient.say(
      `valuetrain: the evidence of your commits stays here: ${why} (\`git config valuetrain.pushEvidence false\` stops trying)\n`,
    )
  }
}

/** Nothing that is started may ask anybody anything. */
function silence(env: NodeJS.ProcessEnv): Record<string, string> {
  const own = env.GIT_SSH_COMMAND === undefined && env.GIT_SSH === undefined
  return {
    GIT_ASKPASS: 'true',
    SSH_ASKPASS: 'true',
    SSH_ASKPASS_REQUIRE: 'never',
    GCM_INTERACTIVE: 'never',
    ...(own ? { GIT_SSH_COMMAND: 'ssh -o BatchMode=yes' } : {}),
  }
}

async function sentTips(note: string): Promise<Record<string, string>> {
  try {
    const found = JSON.parse(await readFile(note, 'utf8')) as unknown
    return typeof found === 'object' && found !== null ? (found as Record<string, string>) : {}
  } catch {
    return {}
  }
}
