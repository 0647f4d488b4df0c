import { findKnown } from './known-secrets.ts'

/** Where a secret stands: UTF-16 offsets into the text, `end` exclusive. */
export interface SecretMatch {
  rule: string
  start: number
  end: number
}

/** How often each rule was applied. */
export type SecretCounts = Record<string, number>

interface Rule {
  id: string
  /** Lower-case words, one of which must stand in the text; spares most texts the pattern. */
  near: readonly string[]
  /** Global. The group `secret`, or the whole match, is what is hidden. */
  pattern: RegExp
  /** Says no to what only looks like one. */
  unless?: (secret: string, match: RegExpExecArray) => boolean
}

/** Letters a token may not stand beside, so that a match is never a piece of a longer word. */
const B = '(?<![A-Za-z0-9_])'
const E = '(?![A-Za-z0-9_])'
const token = (id: string, near: readonly string[], body: string): Rule => ({
  id,
  near,
  pattern: new RegExp(`${B}(?:${body})${E}`, 'g'),
})

/** Formats that issuers publish, most of them recognisable by a prefix. */
const KNOWN: readonly Rule[] = [
  {
    id: 'private-key',
    near: ['private key', 'putty-user-key-file'],
    // A block that is never closed runs to the end: better too much hidden than half a key shown.
    pattern:
      /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|$(?![\s\S]))|PuTTY-User-Key-File-\d:[\s\S]*?Private-MAC: [0-9a-f]+/g,
  },
  token(
    'github-token',
    ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    // Tokens of installations carry an id and a signed part since 2026, with dots and dashes, and are several hundred letters long.
    'gh[pousr]_[A-Za-z0-9](?:[A-Za-z0-9_.-]{34,4000}[A-Za-z0-9])|github_pat_[A-Za-z0-9_]{22,255}',
  ),
  token(
    'gitlab-token',
    ['gl'],
    'gl(?:pat|ptt|dt|rt|rtr|cbt|oas|soat|agent|ft|imt|feat|wt)-[A-Za-z0-9_.-]{20,}|GR1348941[A-Za-z0-9_-]{20,}',
  ),
  token('bitbucket-token', ['atbb', 'atctt3'], 'ATBB[A-Za-z0-9=]{24,}|ATCTT3[A-Za-z0-9_=-]{60,}'),
  token('atlassian-token', ['atatt3'], 'ATATT3[A-Za-z0-9_=-]{60,}'),
  token('aws-access-key', ['akia', 'asia', 'abia', 'acca'], '(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}'),
  token('google-api-key', ['aiza'], 'AIza[A-Za-z0-9_-]{35}'),
  token(
    'google-oauth',
    ['ya29.', 'gocspx-', '1//0'],
    'ya29\\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{28}|1//0[A-Za-z0-9_-]{40,}',
  ),
  token('slack-token', ['xox', 'xapp-'], 'xox[abeoprs](?:\\.xox[bp])?-[A-Za-z0-9-]{10,}|xapp-\\d-[A-Za-z0-9-]{20,}'),
  {
    id: 'slack-webhook',
    near: ['hooks.slack.com'],
    pattern: /https:\/\/hooks\.slack\.com\/(?:services|workflows|triggers)\/[A-Za-z0-9/_-]{20,}/g,
  },
  {
    id: 'discord-webhook',
    near: ['/api/webhooks/'],
    pattern: /https:\/\/discord(?:app)?\.com\/api\/webhooks\/\d{15,}\/[A-Za-z0-9_-]{50,}/g,
  },
  token('stripe-key', ['k_live_', 'k_test_', 'whsec_'], '[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}'),
  token('anthropic-key', ['sk-ant-'], 'sk-ant-[a-z]{2,8}\\d{2}-[A-Za-z0-9_-]{20,}'),
  token(
    'openai-key',
    ['sk-'],
    'sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|sk-[A-Za-z0-9]{48}',
  ),
  token('openrouter-key', ['sk-or-'], 'sk-or-v1-[0-9a-f]{64}'),
  token('huggingface-token', ['hf_', 'api_org_'], '(?:hf|api_org)_[A-Za-z]{34}'),
  token('groq-key', ['gsk_'], 'gsk_[A-Za-z0-9]{48,}'),
  token('xai-key', ['xai-'], 'xai-[A-Za-z0-9]{70,}'),
  token('replicate-token', ['r8_'], 'r8_[A-Za-z0-9]{37}'),
  token('perplexity-key', ['pplx-'], 'pplx-[A-Za-z0-9]{40,}'),
  token('npm-token', ['npm_'], 'npm_[A-Za-z0-9]{36}'),
  token('pypi-token', ['pypi-'], 'pypi-Ag[A-Za-z0-9_-]{60,}'),
  token('rubygems-key', ['rubygems_'], 'rubygems_[0-9a-f]{48}'),
  token('docker-token', ['dckr_'], 'dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,}'),
  { id: 'azure-storage-key', near: ['accountkey'], pattern: /AccountKey=(?<secret>[A-Za-z0-9+/]{86}==)/gi },
  { id: 'azure-shared-key', near: ['sharedaccesskey'], pattern: /SharedAccessKey=(?<secret>[A-Za-z0-9+/]{42,86}={0,2})/gi },
  { id: 'azure-sas', near: ['sig='], pattern: /[?&]sig=(?<secret>[A-Za-z0-9%+/]{40,}={0,2})/g },
  {
    id: 'azure-client-secret',
    near: ['q~'],
    pattern: /(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~-])/g,
  },
  token('sendgrid-key', ['sg.'], 'SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}'),
  token('twilio-key', ['sk'], 'SK[0-9a-f]{32}'),
  token('mailgun-key', ['key-'], 'key-[0-9a-f]{32}'),
  token('mailchimp-key', ['-us'], '[0-9a-f]{32}-us\\d{1,2}'),
  token('telegram-token', [':aa'], '\\d{8,10}:AA[A-Za-z0-9_-]{33}'),
  token('digitalocean-token', ['_v1_'], 'do[opr]_v1_[0-9a-f]{64}'),
  token('databricks-token', ['dapi'], 'dapi[0-9a-f]{32}(?:-\\d)?'),
  token('shopify-token', ['shp'], 'shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}'),
  token('square-token', ['sq0', 'eaaa'], 'sq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}|EAAA[A-Za-z0-9_-]{60}'),
  token('vault-token', ['hvs.', 'hvb.'], 'hv[sb]\\.[A-Za-z0-9_-]{24,}'),
  { id: 'terraform-token', near: ['.atlasv1.'], pattern: /(?<![A-Za-z0-9_])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}/g },
  token('linear-key', ['lin_'], 'lin_(?:api|oauth)_[A-Za-z0-9]{32,64}'),
  token('notion-token', ['ntn_'], 'ntn_[A-Za-z0-9]{40,}'),
  token('figma-token', ['figd_', 'figo_'], 'fig[do]_[A-Za-z0-9_-]{40,}'),
  token('grafana-token', ['glsa_', 'glc_'], 'glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}|glc_[A-Za-z0-9+/]{32,}={0,2}'),
  token('sentry-token', ['sntry'], 'sntry[su]_[A-Za-z0-9+/=_-]{40,}'),
  token('new-relic-key', ['nrak-', 'nrjs-'], 'NRAK-[A-Z0-9]{27}'),
  token('dynatrace-token', ['dt0'], 'dt0[a-z]\\d{2}\\.[A-Z2-7]{24}\\.[A-Z2-7]{64}'),
  token('netlify-token', ['nfp_'], 'nfp_[A-Za-z0-9]{36,}'),
  token('supabase-token', ['sbp_', 'sb_secret_'], 'sbp_[0-9a-f]{40}|sb_secret_[A-Za-z0-9_-]{20,}'),
  token('planetscale-token', ['pscale_'], 'pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}'),
  token('postman-key', ['pmak-'], 'PMAK-[0-9a-f]{24}-[0-9a-f]{34}'),
  token('doppler-token', ['dp.'], 'dp\\.(?:pt|st|ct|sa|scim|audit)\\.(?:[a-z0-9_-]{2,35}\\.)?[A-Za-z0-9]{40,44}'),
  token('tailscale-key', ['tskey-'], 'tskey-[a-z]+-[A-Za-z0-9]+-[A-Za-z0-9]{20,}'),
  token('heroku-key', ['hrku-'], 'HRKU-[A-Za-z0-9_-]{36,}'),
  token('age-key', ['age-secret-key-'], 'AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}'),
  token('jwt', ['eyj'], 'eyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{16,}'),
]

/** Secrets known by what stands before them. */
const SAID: readonly Rule[] = [
  {
    id: 'url-credentials',
    near: ['://'],
    pattern: /[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:@/'"`<>?#]{0,200}:(?<secret>[^\s@/'"`<>]{1,300})@/gi,
    unless: isPlaceholder,
  },
  {
    id: 'authorization',
    near: ['bearer ', 'basic ', 'token '],
    pattern: /\bauthorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)\s+(?<secret>[A-Za-z0-9._~+/=-]{12,})/gi,
    unless: isPlaceholder,
  },
  {
    id: 'assigned-secret',
    near: ['pass', 'pwd', 'secret', 'token', 'key', 'credential', 'auth'],
    pattern:
      /(?<name>[A-Za-z0-9_.-]{0,60}(?:pass(?:word|wd|phrase|code)|(?<![a-z])pass(?![a-z])|pwd|secret|token|api[_.-]?key|access[_.-]?key|account[_.-]?key|private[_.-]?key|signing[_.-]?key|encryption[_.-]?key|auth[_.-]?key|credentials?|auth)[A-Za-z0-9_]{0,20})["']?\s{0,4}(?:[:=]|=>|:=)\s{0,4}(?:"(?<double>[^"\n]{6,400})"|'(?<single>[^'\n]{6,400})'|(?<bare>[^\s"'`,;&<>(){}[\]]{8,400}))/gi,
    unless: (secret, match) => !readsAsSecret(secret, match.groups?.bare !== undefined),
  },
]

/**
 * Returns the secrets a text holds, in order, not overlapping: known formats of issuers, private keys, credentials in
 * URLs and connection strings, values assigned to names like `password`, strings too random to be words, and the exact values
 * that this process was told to keep, in any of their forms.
 * Object ids, digests, UUIDs, ULIDs and the integrity fields of lock files are none.
 */
export function findSecrets(text: string): SecretMatch[] {
  if (text.length < SHORTEST) return []
  const known = findKnown(text).map((place) => ({ rule: 'known-secret', ...place }))
  const lower = text.toLowerCase()
  const found: SecretMatch[] = known
  for (const rule of [...KNOWN, ...SAID]) {
    if (rule.near.some((word) => lower.includes(word))) found.push(...matchesOf(rule, text))
  }
  found.push(...findRandom(text))
  return withoutOverlaps(found)
}

/** Returns the text with each secret replaced by `[redacted:<rule>]`, and how often each rule was applied. */
export function redactSecrets(text: string): { text: string; counts: SecretCounts } {
  const counts: SecretCounts = {}
  let result = ''
  let at = 0
  for (const { rule, start, end } of findSecrets(text)) {
    result += `${text.slice(at, start)}[redacted:${rule}]`
    at = end
    counts[rule] = (counts[rule] ?? 0) + 1
  }
  return { text: result + text.slice(at), counts }
}

/**
 * Returns a copy of data with the secrets in all its strings replaced, and how often each rule was applied. A string
 * under a key like `password` is judged as if it had been assigned to that name. Keys are kept.
 */
export function redactDeep<T>(value: T): { value: T; counts: SecretCounts } {
  const counts: SecretCounts = {}
  const add = (rule: string, times = 1) => {
    counts[rule] = (counts[rule] ?? 0) + times
  }
  const walk = (part: unknown, key: string): unknown => {
    if (typeof part === 'string') {
      const redacted = redactSecrets(part)
      for (const [rule, times] of Object.entries(redacted.counts)) add(rule, times)
      if (redacted.text !== part || !SECRET_KEY.test(key) || !readsAsSecret(part, true)) return redacted.text
      add('assigned-secret')
      return '[redacted:assigned-secret]'
    }
    if (Array.isArray(part)) return part.map((item) => walk(item, key))
    if (typeof part !== 'object' || part === null) return part
    return Object.fromEntries(Object.entries(part).map(([name, item]) => [name, walk(item, name)]))
  }
  return { value: walk(value, '') as T, counts }
}

const FORMATS: ReadonlySet<string> = new Set(['known-secret', ...KNOWN.map(({ id }) => id)])

/** Tells whether a rule knows a format that an issuer publishes, or the very value, and not only what stands around a secret. */
export function isKnownFormat(rule: string): boolean {
  return FORMATS.has(rule)
}

const SHORTEST = 8
const SECRET_KEY =
  /(?:^|[_.-]|[a-z])(?:pass(?:word|wd|phrase)|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)$/i

function matchesOf(rule: Rule, text: string): SecretMatch[] {
  const found: SecretMatch[] = []
  for (const match of text.matchAll(rule.pattern)) {
    const groups = match.groups ?? {}
    const secret = groups.secret ?? groups.double ?? groups.single ?? groups.bare ?? match[0]
    if (secret.startsWith('[redacted:') || rule.unless?.(secret, match)) continue
    const start = match.index + match[0].lastIndexOf(secret)
    found.push({ rule: rule.id, start, end: start + secret.length })
  }
  return found
}

/** Earlier rules name a secret better. A later one that overlaps only makes the place larger; mere randomness not even that. */
function withoutOverlaps(found: readonly SecretMatch[]): SecretMatch[] {
  const kept: SecretMatch[] = []
  for (const match of found) {
    const same = kept.findIndex(({ start, end }) => match.start < end && start < match.end)
    const there = kept[same]
    if (there === undefined) kept.push(match)
    else if (match.rule !== RANDOM_RULE) {
      kept[same] = { ...there, start: Math.min(there.start, match.start), end: Math.max(there.end, match.end) }
    }
  }
  const inOrder = kept.sort((a, b) => a.start - b.start)
  return inOrder.filter((match, at) => {
    const before = inOrder[at - 1]
    if (before === undefined || match.start >= before.end) return true
    inOrder[at] = { ...before, end: Math.max(before.end, match.end) }
    before.end = Math.max(before.end, match.end)
    return false
  })
}

/** Words that stand where a secret would, in examples and code. */
function isPlaceholder(value: string): boolean {
  return (
    /^(?:[x*.•_-]{3,}|<[^>]*>|\$\{?\w+\}?|\{\{.*\}\}|%\w+%|\[redacted.*|\.\.\.+|null|undefined|true|false|none)$/i.test(value) ||
    /^(?:your|my|the|an?|some|change|replace|insert|enter|example|dummy|fake|test|sample|placeholder|redacted|password|passwd|secret|token|user)(?:$|[\s_.-])/i.test(
      value,
    ) ||
    /^(?:process\.env|import\.meta|os\.environ|env|secrets|vars|config|settings|self|this|req|options|args)[.[]/i.test(value) ||
    /\$\{|\{\{|<[a-z][\w -]*>/i.test(value)
  )
}

/** Tells whether an assigned value is more than a word, a type or an expression. */
function readsAsSecret(value: string, isBare: boolean): boolean {
  if (value.length < 8 || isPlaceholder(value) || isIdentifier(value)) return false
  // Code and prose: a value without quotes that goes on like an expression, or a text of several words.
  if (isBare && /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$|[(){}[\]]|\?\.|\.(?:ts|js|json|md|ya?ml|py|txt|env)$/.test(value))
    return false
  if (/\s/.test(value.trim()) || /^(?:\.{0,2}\/|~\/|[a-z][a-z+.-]*:\/\/)/i.test(value)) return false
  const classes = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((shape) => shape.test(value)).length
  return (classes >= 3 || (/\d/.test(value) && classes >= 2)) && entropyOf(value) >= 2.5 && !isWordy(value)
}

/** Things that look random and are names of public things. */
function isIdentifier(value: string): boolean {
  return (
    /^[0-9a-f]{7,128}$/i.test(value) ||
    /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ||
    // A ULID, or a name made of words and one, as session files have.
    /^(?:[a-z]+[-_])*[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(value) ||
    /^(?:sha(?:1|256|384|512)|md5|h1)[-:]/i.test(value) ||
    /^v?\d+(?:\.\d+)+/.test(value)
  )
}

/** Names such as `build-step-2` or `readTokenV2`: pronounceable words, with a short number at most. */
function isWordy(value: string): boolean {
  if (/[!@#$%^&*]/.test(value)) return false
  const inner = value.replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
  const parts = inner.split(/[_.:/-]+|(?<=[a-z])(?=[A-Z])/)
  const hasSeparators = /[_.:/-]/.test(inner)
  const isWord = (part: string) =>
    /^\d{1,4}$/.test(part) ||
    (/^(?:[A-Z]?[a-z]+|[A-Z]+)\d{0,2}$/.test(part) && (/[aeiouy]/i.test(part) || (hasSeparators && part.length <= 3)))
  return parts.length > 1 && parts.every(isWord)
}

const RANDOM_RULE = 'high-entropy'
const RANDOM = /[A-Za-z0-9+/_-]{32,}={0,2}/g

/** Strings in which kinds of characters change too often, and too evenly, for words or paths. */
function findRandom(text: string): SecretMatch[] {
  const found: SecretMatch[] = []
  for (const match of text.matchAll(RANDOM)) {
    const value = match[0]
    const before = text.slice(Math.max(0, match.index - 200), match.index)
    // Lock files' digests, embedded files, and the ids in the paths of addresses.
    if (isIdentifier(value) || /(?:sha(?:1|256|384|512)-|base64,|:\/\/\S*)$/i.test(before)) continue
    const longest = value.split('/').reduce((a, b) => (b.length > a.length ? b : a))
    if (longest.length < 24 || isIdentifier(longest) || !isRandom(longest)) continue
    found.push({ rule: RANDOM_RULE, start: match.index, end: match.index + value.length })
  }
  return found
}

function isRandom(value: string): boolean {
  const counts = [/[a-z]/g, /[A-Z]/g, /\d/g].map((kind) => value.match(kind)?.length ?? 0)
  if (counts.some((count) => count < 3)) return false
  let changes = 0
  for (let at = 1; at < value.length; at++) {
    const [before, now] = [kindOf(value.charCodeAt(at - 1)), kindOf(value.charCodeAt(at))]
    // Words in camel case change from capital to small letters all the time.
    if (before !== now && !(before === 1 && now === 0)) changes++
  }
  return changes / value.length >= 0.28 && entropyOf(value) >= 4.2
}

function kindOf(code: number): number {
  if (code >= 97) return 0
  if (code >= 65 && code <= 90) return 1
  return code >= 48 && code <= 57 ? 2 : 3
}

/** Returns Shannon's entropy in bits a character. */
function entropyOf(value: string): number {
  const counts = new Map<string, number>()
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length)
  return bits
}
