import { sha256 } from '../../core/canonical.ts'
import type { Finding, GateKind } from '../../core/contracts/gate.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { type Answer, byFindings, notApplicable } from '../gate.ts'
import { expandPath, type View } from '../view.ts'
import { missingKeys, ownWords, placeholdersIn } from '../words.ts'

type Artifact = Extract<GateKind, { type: 'artifact' }>

/** Judges documents as they are committed: there, not empty, in their author's words, with the keys they need. */
export async function judgeArtifact(kind: Artifact, view: View): Promise<Answer> {
  const paths = kind.paths.map((path) => expandPath(path, view.context.ticket))
  if (paths.includes(undefined)) return notApplicable('there is no ticket, so no artifacts folder')
  const template = kind.template === undefined ? undefined : view.context.method.templates.get(kind.template)
  const findings: Finding[] = []
  const files: Record<string, string> = {}
  for (const path of paths as string[]) {
    const text = await readPlain(view, path)
    if (text !== undefined) files[path] = sha256(text)
    findings.push(...problemsOf(path, text, kind, template))
  }
  const names = Object.keys(files).join(', ')
  return { ...byFindings(findings, `${names} is there, in its author’s words`), evidence: { files } }
}

/** What an artifact gate reads besides its subject: the files themselves, wherever they lie, and the template. */
export async function artifactInputs(kind: Artifact, view: View): Promise<Record<string, string | null>> {
  const inputs: Record<string, string | null> = { ticket: view.context.ticket ?? null }
  if (kind.template !== undefined) inputs.template = digestOrNull(view.context.method.templates.get(kind.template))
  for (const path of kind.paths) {
    const at = expandPath(path, view.context.ticket)
    inputs[`file ${path}`] = at === undefined ? null : digestOrNull(await readPlain(view, at))
  }
  return inputs
}

/** Returns what is wrong with one document. */
export function problemsOf(
  path: string,
  text: string | undefined,
  rule: Pick<Artifact, 'minContent' | 'schema'>,
  template: string | undefined,
): Finding[] {
  const problem = (name: string, message: string, line?: number): Finding => ({
    rule: name,
    severity: 'error',
    message,
    path,
    ...(line === undefined ? {} : { line }),
  })
  if (text === undefined) return [problem('missing', `${path} is missing`)]
  if (text.trim() === '') return [problem('empty', `${path} is empty`)]
  const findings = placeholdersIn(text).map(({ name, line }) =>
    problem('placeholder', `${path} still holds ${name} in line ${line}`, line),
  )
  const own = ownWords(text, template)
  if (own < Math.max(1, rule.minContent)) {
    findings.push(problem('too-little', `${path} has ${own} words of its own, ${Math.max(1, rule.minContent)} are asked`))
  }
  try {
    for (const key of missingKeys(text, rule.schema, path))
      findings.push(problem('key', `${path} has no "${key}" in its front matter`))
  } catch (error) {
    if (!(error instanceof ValuetrainError)) throw error
    findings.push(problem('front-matter', error.message))
  }
  return findings
}

/** A link is no artifact: what it leads to may change without the change showing it. */
export async function readPlain(view: View, path: string): Promise<string | undefined> {
  const found = await view.git.text(['ls-tree', '--full-tree', view.context.head, '--', path])
  return /^100(?:644|755) blob /.test(found) ? view.head.read(path) : undefined
}

function digestOrNull(text: string | undefined): string | null {
  return text === undefined ? null : sha256(text)
}
