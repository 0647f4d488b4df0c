import { readFile } from 'node:fs/promises'
import { OpenAPIBackend } from 'openapi-backend'
import { isRefName } from '../../../core/refs.ts'

/** Judges requests by GitHub's published description of its API, and by the rules between fields which that cannot say. */
export interface Contract {
  /** Returns what is wrong with a request; empty when nothing is. */
  check(request: { method: string; path: string; query: string; body: unknown }): string[]
}

/** Reads contract.json, which cut-contract.mjs has cut out of `@octokit/openapi`. */
export async function openContract(): Promise<Contract> {
  const definition = JSON.parse(await readFile(new URL('contract.json', import.meta.url), 'utf8'))
  const api = new OpenAPIBackend({
    definition,
    quick: true,
    // The schemas are known to be sound, and compiling their own schema costs ten times as much as using them.
    ajvOpts: { strict: false, unicodeRegExp: false, validateSchema: false, logger: false, meta: false },
  })
  await api.init()
  return {
    check({ method, path, query, body }) {
      const request = {
        method,
        path,
        query,
        headers: { 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      }
      const operation = api.matchOperation(request)
      if (!operation) return [`${method} ${path} is not in the contract; add it to cut-contract.mjs`]
      const { errors } = api.validateRequest(request, operation)
      const said = (errors ?? []).map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
      return [...said, ...rulesBetweenFields(operation.operationId ?? '', body as Record<string, unknown> | undefined)]
    },
  }
}

function rulesBetweenFields(operation: string, body: Record<string, unknown> = {}): string[] {
  const wrong: string[] = []
  const limit = (name: string, value: unknown, most: number) => {
    if (typeof value === 'string' && [...value].length > most) wrong.push(`${name} is longer than ${most} characters`)
  }
  if (operation === 'repos/create-commit-status') limit('description', body.description, 140)
  if (/^issues\/(create|update)(-comment)?$|^pulls\/(create|update)$/.test(operation)) limit('body', body.body, 65_536)
  if (/^issues\/(create|update)$|^pulls\/(create|update)$/.test(operation)) limit('title', body.title, 256)
  if (/^checks\//.test(operation)) {
    const output = (body.output ?? {}) as { summary?: unknown; text?: unknown; annotations?: unknown[] }
    limit('output.summary', output.summary, 65_535)
    limit('output.text', output.text, 65_535)
    if ((output.annotations?.length ?? 0) > 50) wrong.push('more than 50 annotations')
    if (body.status === 'completed' && body.conclusion === undefined) wrong.push('completed needs a conclusion')
  }
  if (operation === 'pulls/create') {
    for (const name of [body.head, body.base]) {
      const branch = String(name).replace(/^[^:]+:/, '')
      if (!isRefName(branch)) wrong.push(`${JSON.stringify(branch)} is no branch name`)
    }
  }
  return wrong
}
