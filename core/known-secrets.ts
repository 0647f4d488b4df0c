/** Shorter values are words; hiding every "main" helps nobody. */
const SHORTEST = 8
/** Longer ones are certificates and the like, which have a form of their own. */
const LONGEST = 2_000

const SECRET_NAME =
  /(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|AUTH|PAT)$|(?:API|ACCESS|PRIVATE|SIGNING|ENCRYPTION|ACCOUNT|SECRET)_?KEY(?:_ID)?$|_KEY$/i

/** How often each value was told, so that two who know one may forget it one after the other. */
const told = new Map<string, number>()
let compiled: { pattern: RegExp; longest: number } | undefined

/**
 * Remembers an exact value that must never be written down, for as long as this process runs: a key of the gateway, a token of a
 * forge. From then on every look for secrets finds it, as it is and in the forms in which it gets around.
 *
 * @returns forgets it again
 */
export function learnSecret(value: string): () => void {
  const clean = value.trim()
  if (clean.length < SHORTEST || clean.length > LONGEST) return () => {}
  told.set(clean, (told.get(clean) ?? 0) + 1)
  compiled = undefined
  let known = true
  return () => {
    if (!known) return
    known = false
    const times = (told.get(clean) ?? 1) - 1
    if (times > 0) told.set(clean, times)
    else told.delete(clean)
    compiled = undefined
  }
}

/** Remembers the values of all variables whose name says that they are secret. @param names further ones */
export function learnSecretsOf(env: Readonly<Record<string, string | undefined>>, names: readonly string[] = []): () => void {
  const found = Object.entries(env).filter(
    ([name, value]) => value !== undefined && (SECRET_NAME.test(name) || names.includes(name)) && !isPlain(value),
  )
  const forget = found.map(([, value]) => learnSecret(value as string))
  return () => {
    for (const one of forget) one()
  }
}

/** A path or a number under such a name, as in SSH_AUTH, is none. */
function isPlain(value: string): boolean {
  return /^(?:\.{0,2}\/|~\/|[A-Za-z]:\\)/.test(value) || /^(?:\d+|true|false|yes|no)$/i.test(value.trim())
}

/** Returns where known values stand in a text, in any of their forms. */
export function findKnown(text: string): { start: number; end: number }[] {
  if (told.size === 0) return []
  compiled ??= compile([...told.keys()])
  return [...text.matchAll(compiled.pattern)].map((match) => ({ start: match.index, end: match.index + match[0].length }))
}

/** Characters that the longest form of a known value can take. */
export function longestKnown(): number {
  if (told.size === 0) return 0
  compiled ??= compile([...told.keys()])
  return compiled.longest
}

function compile(values: readonly string[]): { pattern: RegExp; longest: number } {
  const forms = values.flatMap(formsOf).sort((a, b) => b.length - a.length)
  const longest = Math.max(...values.map((value) => Buffer.byteLength(value)))
  return { pattern: new RegExp(forms.join('|'), 'g'), longest: 7 * longest + 32 }
}

/** Breaks that tools put between the letters of an encoded value: lines of base64, pairs of hex. */
const BREAK_64 = '(?:\\\\[rn]|\\s){0,4}'
const BREAK_HEX = '(?:\\\\x|%|0x|\\\\[rn]|[\\s:,-]){0,4}'

/** A value as it is, in JSON, in a URL, in hex and in base64, wherever in a longer text it was encoded. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value)
  const url = encodeURIComponent(value)
  const lower = url.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())
  const plain = new Set([value, JSON.stringify(value).slice(1, -1), url, lower, url.replaceAll('%20', '+')])
  const hex = [...bytes].map((byte) => [...byte.toString(16).padStart(2, '0')].map(eitherCase).join('')).join(BREAK_HEX)
  return [...[...plain].map(escaped), hex, ...[0, 1, 2].map((offset) => base64Form(bytes, offset))]
}

/** What of a value is the same in base64 whatever stands before and after it, `offset` being where in a group of three it begins. */
function base64Form(bytes: Buffer, offset: number): string {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
  const whole = Math.floor(((offset + bytes.length) * 8) / 6)
  const letters = [...text.slice(Math.ceil((offset * 8) / 6), whole)]
  return letters.map((letter) => (letter === '+' ? '[+-]' : letter === '/' ? '[/_]' : letter)).join(BREAK_64)
}

function eitherCase(letter: string): string {
  return /[a-f]/.test(letter) ? `[${letter}${letter.toUpperCase()}]` : letter
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
}
