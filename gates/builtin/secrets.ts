import type { Finding } from '../../core/contracts/gate.ts'
import { secretsInFile } from '../../core/file-secrets.ts'
import { blobSizes } from '../../core/tree.ts'
import { byFindings } from '../gate.ts'
import type { View } from '../view.ts'
import { contentsOf } from './blob.ts'
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
      const { maxBytes } = view.context.config.size
      const known = await knownBefore(view, maxBytes)
      const blobs = await view.newBlobs()
      const findings = blobs
        .filter(({ bytes }) => bytes > maxBytes)
        .map(({ path }): Finding => {
          return { rule: 'not-scanned', severity: 'warning', message: `${path} is too large to be looked through`, path }
        })
      const small = blobs.filter(({ bytes }) => bytes <= maxBytes)
      for await (const { blob, content } of contentsOf(view, small))
        findings.push(...look(content, known.get(blob.id) ?? new Set(), blob.path))
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

function look(content: Buffer | string, known: ReadonlySet<string>, where: string): Finding[] {
  return secretsInFile(content)
    .filter(({ secret }) => !known.has(secret))
    .map(({ rule, line }): Finding => {
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
async function knownBefore(view: View, maxBytes: number): Promise<ReadonlyMap<string, Set<string>>> {
  const changed = (await view.changes()).filter(({ status }) => status === 'M')
  const sizes = await blobSizes(view.git, [...new Set(changed.map(({ oldBlob }) => oldBlob))])
  const before = changed.flatMap(({ oldBlob, path }) => {
    const bytes = sizes.get(oldBlob)
    return bytes === undefined || bytes > maxBytes ? [] : [{ id: oldBlob, path, bytes }]
  })
  const known = new Map<string, Set<string>>()
  for await (const { blob, content } of contentsOf(view, before))
    known.set(blob.id, new Set(secretsInFile(content).map(({ secret }) => secret)))
  return new Map(changed.flatMap(({ blob, oldBlob }) => (known.has(oldBlob) ? [[blob, known.get(oldBlob) as Set<string>]] : [])))
}
