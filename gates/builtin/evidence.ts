import { sha256 } from '../../core/canonical.ts'
import type { Finding } from '../../core/contracts/gate.ts'
import { ticketFolder } from '../../core/contracts/names.ts'
import { byFindings, notApplicable } from '../gate.ts'
import { problemsOf, readPlain } from '../kinds/artifact.ts'
import { SUMMARY_FILE } from '../subject.ts'
import { eventsOf, type View } from '../view.ts'
import { builtin } from './builtin.ts'

/** Words of the author's own that a deliverable has to have. */
const MIN_WORDS = 20

/**
 * Three questions: are the phase's artifacts there and in their author's words; is each recorded artifact the one that
 * was recorded; is each artifact that a gate once passed still there and not empty.
 */
export const evidence = builtin(
  {
    id: 'evidence',
    title: 'Artifacts are there and are the recorded ones',
    why: 'a document that is empty, a template or not the one that was looked at shows nothing',
    subject: 'session',
  },
  {
    async judge(view) {
      const { ticket } = view.context
      if (ticket === undefined) return notApplicable('there is no ticket, so no artifacts')
      const folder = `${ticketFolder(ticket)}/artifacts`
      const files: Record<string, string> = {}
      const findings = [
        ...(await deliverables(view, folder, files)),
        ...(await recorded(view, folder, files)),
        ...(await judged(view, files)),
      ]
      const looked = Object.keys(files).length
      return {
        ...byFindings(unique(findings), `${looked} ${looked === 1 ? 'artifact' : 'artifacts'} looked at`),
        evidence: { files },
      }
    },
  },
)

async function deliverables(view: View, folder: string, files: Record<string, string>): Promise<Finding[]> {
  const { method, pipeline, phase } = view.context
  const position = method.pipelines.get(pipeline ?? '')?.phases.find(({ name }) => name === phase)
  const mode = position && method.modes.get(position.mode)
  if (!position || !mode) return []
  const names = position.artifacts ?? mode.deliverables.filter(({ required }) => required).map(({ file }) => file)
  const findings: Finding[] = []
  for (const name of names.filter((one) => one !== SUMMARY_FILE)) {
    const path = `${folder}/${name}`
    const text = await readPlain(view, path)
    if (text !== undefined) files[path] = sha256(text)
    const deliverable = mode.deliverables.find(({ file }) => file === name)
    if (text === undefined && deliverable?.required === false) continue
    // Words are asked of documents; a file of data has a gate of its own that reads its values.
    const minContent = /\.(md|markdown|txt)$/i.test(name) ? MIN_WORDS : 1
    findings.push(...problemsOf(path, text, { minContent, schema: [] }, method.templates.get(deliverable?.template ?? '')))
  }
  return findings
}

/** The latest record of each artifact counts; the change summary has a gate of its own. */
async function recorded(view: View, folder: string, files: Record<string, string>): Promise<Finding[]> {
  const latest = new Map(
    eventsOf(view.context.entries, 'ARTIFACT_WRITTEN').map(({ data }) => [placeOf(data.path, folder), data.digest]),
  )
  latest.delete(`${folder}/${SUMMARY_FILE}`)
  const findings: Finding[] = []
  for (const [path, digest] of latest) {
    const text = await readPlain(view, path)
    if (text === undefined)
      findings.push({ rule: 'missing', severity: 'error', message: `${path} was recorded and is missing`, path })
    else if (sha256(text) !== digest) {
      findings.push({ rule: 'not-recorded', severity: 'error', message: `${path} is not the artifact that was recorded`, path })
    } else files[path] = digest
  }
  return findings
}

async function judged(view: View, files: Record<string, string>): Promise<Finding[]> {
  const passed = eventsOf(view.context.entries, 'GATE_JUDGED').filter(({ data }) => data.result.verdict === 'pass')
  const paths = new Set(passed.flatMap(({ data }) => Object.keys(data.result.evidence.files ?? {})))
  const findings: Finding[] = []
  for (const path of paths) {
    const text = await readPlain(view, path)
    if (text?.trim()) files[path] = sha256(text)
    else {
      const message = `${path} passed a gate and is ${text === undefined ? 'missing' : 'empty'} now`
      findings.push({ rule: text === undefined ? 'missing' : 'empty', severity: 'error', message, path })
    }
  }
  return findings
}

/** Records name artifacts by repository path, or from the ticket's folder or its artifacts folder. */
function placeOf(path: string, folder: string): string {
  if (path.startsWith('.valuetrain/')) return path
  return `${folder}/${path.replace(/^artifacts\//, '')}`
}

function unique(findings: Finding[]): Finding[] {
  return [...new Map(findings.map((finding) => [`${finding.rule} ${finding.path}`, finding])).values()]
}
