import { spawn } from 'node:child_process'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** A push or fetch that git is to carry out for somebody who is known by now. */
export interface GitCall {
  /** Folder that holds `<owner>/<name>.git`. */
  root: string
  /** Path of the request, with the repository. */
  path: string
  query: string
  login: string
  /** Branches nobody may push to. */
  protectedBranches: readonly string[]
  env: NodeJS.ProcessEnv
}

/** Answers one request of git's smart HTTP protocol with `git http-backend`, the program that git itself brings for it. */
export async function answerGit(call: GitCall, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const child = spawn('git', ['http-backend'], {
    env: {
      ...call.env,
      GIT_PROJECT_ROOT: call.root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      PATH_INFO: call.path,
      QUERY_STRING: call.query,
      REQUEST_METHOD: request.method ?? 'GET',
      REMOTE_USER: call.login,
      REMOTE_ADDR: '127.0.0.1',
      CONTENT_TYPE: String(request.headers['content-type'] ?? ''),
      HTTP_CONTENT_ENCODING: String(request.headers['content-encoding'] ?? ''),
      STAND_PROTECTED: call.protectedBranches.join('\n'),
      ...(request.headers['content-length'] === undefined ? {} : { CONTENT_LENGTH: request.headers['content-length'] }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  child.stdin.on('error', () => {})
  let head: Buffer | undefined = Buffer.alloc(0)
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.stdout.on('data', (chunk: Buffer) => {
      if (head === undefined) {
        response.write(chunk)
        return
      }
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      for (const line of head.subarray(0, end).toString('latin1').split('\r\n')) {
        const [name = '', value = ''] = line.split(/:\s*(.*)/s)
        if (name.toLowerCase() === 'status') response.statusCode = Number.parseInt(value, 10)
        else response.setHeader(name, value)
      }
      response.write(head.subarray(end + 4))
      head = undefined
    })
    child.stdout.on('end', () => resolve())
  })
  response.end()
}

/** What every repository of the stand runs before refs move: the refusal that a host with protected branches gives. */
export const PROTECTING_HOOK = `#!/bin/sh
while read -r _ _ ref; do
  printf '%s\\n' "$STAND_PROTECTED" | while read -r name; do
    [ -n "$name" ] && [ "$ref" = "refs/heads/$name" ] && exit 9
  done
  if [ $? -eq 9 ]; then
    echo "error: GH006: Protected branch update failed for $ref." >&2
    echo "error: Changes must be made through a pull request." >&2
    exit 1
  fi
done
exit 0
`
