// Cuts contract.json out of GitHub's published description of its REST API, once, when an operation is added:
//
//   npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
//   node tests/support/github/cut-contract.mjs package/generated/api.github.com.json > tests/support/github/contract.json
//
// Only what a request may look like is kept: parameters and bodies with their references resolved, no prose, no answers.
// An object that does not say whether it takes other keys is closed, so that a misspelt key is found.
import { readFileSync } from 'node:fs'

const OPERATIONS = `
GET /user
GET /rate_limit
GET /app
POST /app/installations/{installation_id}/access_tokens
GET /repos/{owner}/{repo}
GET /repos/{owner}/{repo}/installation
GET /repos/{owner}/{repo}/collaborators/{username}/permission
GET /repos/{owner}/{repo}/issues
POST /repos/{owner}/{repo}/issues
GET /repos/{owner}/{repo}/issues/comments
PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}
GET /repos/{owner}/{repo}/issues/{issue_number}
PATCH /repos/{owner}/{repo}/issues/{issue_number}
GET /repos/{owner}/{repo}/issues/{issue_number}/events
GET /repos/{owner}/{repo}/issues/{issue_number}/timeline
GET /repos/{owner}/{repo}/issues/{issue_number}/comments
POST /repos/{owner}/{repo}/issues/{issue_number}/comments
GET /repos/{owner}/{repo}/issues/{issue_number}/labels
POST /repos/{owner}/{repo}/issues/{issue_number}/labels
DELETE /repos/{owner}/{repo}/issues/{issue_number}/labels/{name}
POST /repos/{owner}/{repo}/issues/{issue_number}/assignees
DELETE /repos/{owner}/{repo}/issues/{issue_number}/assignees
GET /repos/{owner}/{repo}/issues/{issue_number}/dependencies/blocked_by
POST /repos/{owner}/{repo}/issues/{issue_number}/dependencies/blocked_by
GET /repos/{owner}/{repo}/issues/{issue_number}/parent
POST /repos/{owner}/{repo}/issues/{issue_number}/sub_issues
GET /repos/{owner}/{repo}/labels
POST /repos/{owner}/{repo}/labels
PATCH /repos/{owner}/{repo}/labels/{name}
GET /repos/{owner}/{repo}/pulls
POST /repos/{owner}/{repo}/pulls
GET /repos/{owner}/{repo}/pulls/{pull_number}
PATCH /repos/{owner}/{repo}/pulls/{pull_number}
PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge
PUT /repos/{owner}/{repo}/pulls/{pull_number}/update-branch
GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews
GET /repos/{owner}/{repo}/pulls/{pull_number}/comments
POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers
POST /repos/{owner}/{repo}/statuses/{sha}
GET /repos/{owner}/{repo}/commits/{ref}/status
GET /repos/{owner}/{repo}/commits/{ref}/statuses
GET /repos/{owner}/{repo}/commits/{ref}/check-runs
POST /repos/{owner}/{repo}/check-runs
GET /repos/{owner}/{repo}/check-runs/{check_run_id}
PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}
GET /repos/{owner}/{repo}/branches
GET /repos/{owner}/{repo}/branches/{branch}
GET /repos/{owner}/{repo}/branches/{branch}/protection
GET /repos/{owner}/{repo}/rules/branches/{branch}
GET /repos/{owner}/{repo}/git/ref/{ref}
GET /repos/{owner}/{repo}/git/commits/{commit_sha}
GET /repos/{owner}/{repo}/compare/{basehead}
GET /repos/{owner}/{repo}/hooks
POST /repos/{owner}/{repo}/hooks
DELETE /repos/{owner}/{repo}/hooks/{hook_id}
`
  .trim()
  .split('\n')

const source = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const PROSE = new Set(['description', 'example', 'examples', 'externalDocs', 'title', 'x-github', 'x-multi-segment', 'summary'])

function resolve(node, isSchemaMap = false, depth = 0) {
  if (Array.isArray(node)) return node.map((item) => resolve(item, false, depth + 1))
  if (typeof node !== 'object' || node === null) return node
  if (typeof node.$ref === 'string') {
    const target = node.$ref
      .slice(2)
      .split('/')
      .reduce((at, key) => at[key], source)
    return resolve(target, false, depth + 1)
  }
  const out = {}
  for (const [key, value] of Object.entries(node)) {
    if (!isSchemaMap && PROSE.has(key)) continue
    out[key] = resolve(value, key === 'properties', depth + 1)
  }
  if (!isSchemaMap && out.nullable !== undefined && out.type === undefined) delete out.nullable
  const isObject = !isSchemaMap && out.type === 'object' && out.properties && out.additionalProperties === undefined
  const isCombined = out.oneOf || out.anyOf || out.allOf
  if (isObject && !isCombined) out.additionalProperties = false
  return out
}

const paths = {}
for (const line of OPERATIONS) {
  const [method, path] = line.split(' ')
  const operation = source.paths[path]?.[method.toLowerCase()]
  if (!operation) throw new Error(`there is no ${line}`)
  const parameters = [...(source.paths[path].parameters ?? []), ...(operation.parameters ?? [])].map((p) => resolve(p))
  paths[path] ??= {}
  paths[path][method.toLowerCase()] = {
    operationId: operation.operationId,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(operation.requestBody ? { requestBody: resolve(operation.requestBody) } : {}),
    responses: { default: { description: '' } },
  }
}
const { title, version, license } = source.info
console.log(
  JSON.stringify({
    openapi: source.openapi,
    info: {
      title: `${title}, requests of a subset`,
      version,
      license,
      'x-cut-from': '@octokit/openapi@23.0.2 by cut-contract.mjs',
    },
    paths,
  }),
)
