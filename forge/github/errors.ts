import type { ErrorOptions } from '../../core/errors.ts'
import { ValuetrainError } from '../../core/errors.ts'
import type { Place } from './place.ts'

/** What went wrong with one request, as far as it decides what to do next. */
export type Trouble =
  /** Nobody answered, or a machine in between did. What was asked may have been done. */
  | { kind: 'outage'; error: ValuetrainError }
  /** Too much was asked; after `waitMs` it is welcome. Nothing was done. */
  | { kind: 'limit'; waitMs: number; error: ValuetrainError }
  /** An answer, and no. */
  | { kind: 'refusal'; status: number; error: ValuetrainError }

/** What is known when a request fails. */
export interface Asked {
  place: Place
  /** Method and path with placeholders, e.g. `POST /repos/{owner}/{repo}/pulls`. */
  route: string
  /** Where the token comes from. */
  source: string
}

interface HttpError {
  status?: number
  message?: string
  response?: { headers: Record<string, string | number | undefined>; data?: unknown }
  /** GraphQL says no with a 200; so do these. */
  errors?: GraphqlProblem[]
  headers?: Record<string, string | number | undefined>
}

interface GraphqlProblem {
  type?: string
  message?: string
}

/** Milliseconds to wait after a secondary limit that does not say how long; GitHub's documentation asks for a minute. */
const SECONDARY_MS = 60_000

/** Returns what a failed request means, with an error that names cause and remedy. Anything that is no HTTP failure is thrown on. */
export function troubleOf(cause: unknown, asked: Asked): Trouble {
  if (cause instanceof ValuetrainError) return { kind: 'refusal', status: 0, error: cause }
  const { status, response, message = '' } = cause as HttpError
  const say = saying(cause, asked)
  const problems = problemsOf(cause as HttpError)
  if (problems) return graphqlTrouble(problems, (cause as HttpError).headers ?? response?.headers ?? {}, say, asked)
  if (typeof status !== 'number') throw cause
  if (response === undefined || status >= 500) {
    const how = response === undefined ? `does not answer (${message.slice(0, 120)})` : `answers ${status}`
    const error = say(
      'VT_FORGE_UNREACHABLE',
      `${hostOf(asked)} ${how}`,
      'see whether the network and https://www.githubstatus.com are well; the same command goes on later',
    )
    return { kind: 'outage', error }
  }
  const limit = limitOf(status, response.headers, said(response.data), say, asked)
  return limit ?? { kind: 'refusal', status, error: refusalOf(status, response, say, asked) }
}

type Say = (code: `VT_${string}`, message: string, hint: string, details?: Record<string, unknown>) => ValuetrainError

function saying(cause: unknown, { route }: Asked): Say {
  return (code, message, hint, details = {}) => {
    // The cause holds the request with its headers, and so the token: only its status and words are kept.
    const { status } = cause as HttpError
    const options: ErrorOptions = { kind: 'environment', hint, details: { route, status, ...details } }
    return new ValuetrainError(code, message, options)
  }
}

function limitOf(
  status: number,
  headers: Record<string, string | number | undefined>,
  message: string,
  say: Say,
  asked: Asked,
): Trouble | undefined {
  if (status !== 403 && status !== 429) return undefined
  const retryAfter = Number(headers['retry-after'])
  const isSecondary = /secondary rate limit|abuse detection/i.test(message)
  if (isSecondary || (status === 429 && retryAfter > 0)) {
    const waitMs = retryAfter > 0 ? retryAfter * 1000 : SECONDARY_MS
    const error = say(
      'VT_FORGE_SECONDARY_LIMIT',
      `${hostOf(asked)} asks to wait ${Math.ceil(waitMs / 1000)} s: too many requests at once`,
      'nothing is lost; wait, and see whether other programs use the same account',
      { waitMs },
    )
    return { kind: 'limit', waitMs, error }
  }
  if (String(headers['x-ratelimit-remaining']) !== '0') return undefined
  return usedUp(headers, say, asked)
}

function usedUp(headers: Record<string, string | number | undefined>, say: Say, asked: Asked): Trouble {
  const waitMs = waitUntil(headers)
  const error = say(
    'VT_FORGE_LIMIT',
    `the hourly limit of ${hostOf(asked)} is used up for ${Math.ceil(waitMs / 60_000)} more minutes`,
    'nothing is lost; work goes on after that, and see whether other programs use the same account',
    { waitMs },
  )
  return { kind: 'limit', waitMs, error }
}

/** What GraphQL refused with a 200, as GitHub names it; undefined for an answer of any other kind. */
function problemsOf({ status, errors, response }: HttpError): GraphqlProblem[] | undefined {
  if (typeof status === 'number') return undefined
  const found = errors ?? (response?.data as { errors?: GraphqlProblem[] } | undefined)?.errors
  return Array.isArray(found) && found.length > 0 ? found : undefined
}

function graphqlTrouble(
  problems: readonly GraphqlProblem[],
  headers: Record<string, string | number | undefined>,
  say: Say,
  asked: Asked,
): Trouble {
  if (problems.some(({ type }) => type === 'RATE_LIMITED')) return usedUp(headers, say, asked)
  const words = said({ errors: problems })
  const isRight = problems.some(({ type }) => type === 'FORBIDDEN' || type === 'INSUFFICIENT_SCOPES')
  const error = isRight
    ? say(
        'VT_FORGE_PERMISSION',
        `${hostOf(asked)} refuses the token from ${asked.source}: ${words}`,
        'docs/github.md lists all that it must be allowed',
      )
    : say('VT_FORGE_REFUSED', `${hostOf(asked)} refuses: ${words}`, "the message is the forge's own; mend what it names", {
        said: words,
      })
  return { kind: 'refusal', status: 200, error }
}

/** Milliseconds until the limit is full again, by the server's own clock, which need not be ours. */
export function waitUntil(headers: Record<string, string | number | undefined>): number {
  const reset = Number(headers['x-ratelimit-reset']) * 1000
  const now = Date.parse(String(headers.date))
  return Number.isFinite(reset - now) ? Math.max(1000, reset - now + 1000) : SECONDARY_MS
}

function refusalOf(
  status: number,
  { headers, data }: { headers: Record<string, string | number | undefined>; data?: unknown },
  say: Say,
  asked: Asked,
): ValuetrainError {
  const { place, source, route } = asked
  const repository = `${place.owner}/${place.name}`
  const message = said(data)
  if (status === 401)
    return say(
      'VT_FORGE_TOKEN',
      `${hostOf(asked)} does not take the token from ${source}: it is wrong, expired or revoked`,
      'make a new token and set it again; docs/github.md says what it must be allowed',
    )
  if (headers['x-github-sso']) {
    const url = /\burl=(https?:\/\/[^\s;]+)/.exec(String(headers['x-github-sso']))?.[1]
    return say(
      'VT_FORGE_SSO',
      `${place.owner} wants the token from ${source} to be authorised for single sign-on`,
      url === undefined
        ? 'open the token in your settings, choose "Configure SSO" and authorise the organisation'
        : `open ${url} and authorise the token there; the address is good for an hour`,
    )
  }
  if (/archived/i.test(message))
    return say(
      'VT_FORGE_ARCHIVED',
      `${repository} is archived, so nothing can be written there`,
      'unarchive it in its settings, or point the remote at the repository that took its place',
    )
  if (status === 410 || /issues (?:are|has been|have been) disabled/i.test(message))
    return say(
      'VT_FORGE_NO_ISSUES',
      `issues are switched off in ${repository}`,
      'switch them on under Settings, General, Features',
    )
  const lacking = lackingOf(status, headers)
  if (lacking)
    return say(
      'VT_FORGE_PERMISSION',
      `the token from ${source} lacks ${lacking} in ${repository}`,
      `give it ${lacking}; docs/github.md lists all it needs`,
      { lacking },
    )
  if (status === 404 && /^(?:GET|PATCH) \/repos\/\{owner\}\/\{repo\}$|\/issues$|\/pulls$/.test(route))
    return say(
      'VT_FORGE_UNKNOWN',
      `there is no repository ${repository} on ${place.host}, or the token from ${source} may not see it`,
      'look at the spelling of the remote, and at which repositories the token is for',
    )
  if (status === 403)
    return say(
      'VT_FORGE_PERMISSION',
      `${hostOf(asked)} refuses ${route}: ${message}`,
      `see what the account of the token from ${source} may do in ${repository}`,
    )
  return say(
    'VT_FORGE_REFUSED',
    `${hostOf(asked)} refuses ${route} with ${status}: ${message}`,
    "the message is the forge's own; mend what it names",
    { said: message },
  )
}

/** The scope or permission that would have been enough, when the answer names it. */
function lackingOf(status: number, headers: Record<string, string | number | undefined>): string | undefined {
  if (status !== 403 && status !== 404) return undefined
  const permission = headers['x-accepted-github-permissions']
  if (permission && status === 403) return `the permission ${String(permission).split(/[;,]/)[0]?.trim().replace('=', ': ')}`
  const accepted = list(headers['x-accepted-oauth-scopes'])
  const granted = headers['x-oauth-scopes'] === undefined ? undefined : list(headers['x-oauth-scopes'])
  if (!granted || accepted.length === 0 || accepted.some((scope) => granted.includes(scope))) return undefined
  return `the scope ${accepted.includes('repo') ? 'repo' : accepted[0]}`
}

function list(header: string | number | undefined): string[] {
  return String(header ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
}

/** The forge's own words, with what it says about single fields. */
export function said(data: unknown): string {
  const { message, errors } = (data ?? {}) as { message?: unknown; errors?: unknown }
  const more = (Array.isArray(errors) ? errors : []).map((error) =>
    typeof error === 'string' ? error : (error.message ?? [error.resource, error.field, error.code].filter(Boolean).join(' ')),
  )
  return [message, ...more]
    .filter((word) => typeof word === 'string' && word !== '')
    .join('; ')
    .slice(0, 400)
}

function hostOf({ place }: Asked): string {
  return place.host
}
