import type { Finding } from '../../core/contracts/gate.ts'
import { findSecrets } from '../../core/secrets.ts'
import { byFindings } from '../gate.ts'
import { sizedBlobs } from './blob.ts'
import { builtin } from './builtin.ts'

/**
 * Looks through everything the range's history brings, not only its end: a key that a later commit removes is still in
 * every clone. What the base already holds is not the change's fault. A finding never shows what was found.
 */
export const secrets = builtin(
  {
    id: 'secrets',
    title: 'No secret is committed',
    why: 'a key that was pushed once has to be revoked, removing it later does not help',
    stages: ['advance', 'pre-commit', 'pre-push', 'pull-request'],
    subject: 'range',
    waiver: { allowed: true, maxDays: 1 },
  },
  {
    inputs: async (view) => ({ commits: (await view.commits()).map(({ id }) => id), limit: view.context.config.size.maxBytes }),
    async judge(view) {
      const known = await knownBefore(view)
      const findings: Finding[] = []
      for (const { id, path, bytes, content } of await sizedBlobs(view)) {
        if (bytes > view.context.config.size.maxBytes) {
          findings.push({ rule: 'not-scanned', severity: 'warning', message: `${path} is too large to be looked through`, path })
          continue
        }
        findings.push(...look(content.toString('latin1'), known.get(id) ?? new Set(), path))
      }
      for (const { id, message } of await view.commits()) {
        findings.push(
          ...look(message, new Set(), `the message of commit ${id.slice(0, 8)}`).map(({ path, ...rest }) => ({
            ...rest,
            commit: id,
          })),
        )
      }
      return byFindings(findings, 'no key, token or private key in what the change brings')
    },
  },
)

function look(text: string, known: ReadonlySet<string>, where: string): Finding[] {
  return findSecrets(text)
    .filter(({ start, end }) => !known.has(text.slice(start, end)))
    .map(({ rule, start }): Finding => {
      const line = text.slice(0, start).split('\n').length
      return {
        rule,
        severity: 'error',
        message: `${where}, line ${line}, holds what looks like a secret (${rule})`,
        path: where,
        line,
      }
    })
}

/** What looked like a secret in the older content of a changed file, by the id of the new content. */
async function knownBefore(view: Parameters<typeof sizedBlobs>[0]): Promise<ReadonlyMap<string, Set<string>>> {
  const changed = (await view.changes()).filter(({ status }) => status === 'M')
  const before = await view.blobs(changed.map(({ oldBlob }) => oldBlob))
  return new Map(
    changed.map(({ blob }, index) => {
      const text = before[index]?.toString('latin1') ?? ''
      return [blob, new Set(findSecrets(text).map(({ start, end }) => text.slice(start, end)))]
    }),
  )
}
