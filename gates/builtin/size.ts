import type { Finding } from '../../core/contracts/gate.ts'
import { byFindings } from '../gate.ts'
import { ticketOfPath } from '../view.ts'
import { contentsOf, describeSize, isBinary, isSmallImage } from './blob.ts'
import { builtin } from './builtin.ts'

/** A large file stays in every clone for ever, also when a later commit removes it. */
export const size = builtin(
  {
    id: 'size',
    title: 'No large file',
    why: 'what is committed once is carried by every clone for ever; large files belong in LFS',
    subject: 'range',
  },
  {
    inputs: async (view) => ({ limits: view.context.config.size, commits: (await view.commits()).map(({ id }) => id) }),
    async judge(view) {
      const { warnBytes, maxBytes } = view.context.config.size
      const blobs = await view.newBlobs()
      const inArtifacts = blobs.filter(({ path, bytes }) => isInArtifacts(path) && bytes <= maxBytes)
      const binary = new Set<string>()
      for await (const { blob, content } of contentsOf(view, inArtifacts)) if (isBinary(content)) binary.add(blob.id)
      const findings = blobs.flatMap(({ id, path, bytes }): Finding[] => {
        if (bytes > maxBytes) {
          const message = `${path} is ${describeSize(bytes)}, more than the ${describeSize(maxBytes)} a file may have outside LFS`
          return [{ rule: 'too-large', severity: 'error', message, path }]
        }
        if (isInArtifacts(path) && binary.has(id) && !isSmallImage(path, bytes, warnBytes)) {
          const message = `${path} is neither text nor a small image, which is all that artifacts hold`
          return [{ rule: 'artifact-kind', severity: 'error', message, path }]
        }
        if (bytes < warnBytes) return []
        return [{ rule: 'large', severity: 'warning', message: `${path} is ${describeSize(bytes)}; consider LFS`, path }]
      })
      return byFindings(findings, `no new file is larger than ${describeSize(maxBytes)}`)
    },
  },
)

function isInArtifacts(path: string): boolean {
  return ticketOfPath(path) !== undefined && path.includes('/artifacts/')
}
