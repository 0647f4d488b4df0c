// A gate of this repository. It is loaded from the committed configuration of the base, so a change cannot alter the
// gate that judges it. Import only Node and files beside this one.

/** Every field is explained on the reference page of gates; `valuetrain gate list` shows this one once it is committed. */
export const gate = {
  id: '__NAME__',
  title: 'No file is left empty',
  why: 'an empty file is nearly always one that somebody forgot to write',
  // Modes whose phases ask it; an empty list means all of them.
  modes: ['build', 'evaluate', 'deliver'],
  // `block` stops the ticket, `warn` is only shown.
  severity: 'block',
}

/**
 * Judges a change. `changed()` lists what differs, `base` and `head` read files of the two trees by path.
 * Answer `pass` only when you looked; `not-applicable` when there was nothing to look at.
 */
export async function judge({ changed, head }) {
  const paths = (await changed())
    .filter(({ status, path }) => status !== 'D' && !path.startsWith('.valuetrain/'))
    .map(({ path }) => path)
  if (paths.length === 0) return { verdict: 'not-applicable', reasons: ['the change adds or alters no file'] }
  const findings = []
  for (const path of paths) {
    if ((await head.read(path)) === '') findings.push({ rule: '__NAME__', severity: 'error', message: `${path} is empty`, path })
  }
  return findings.length === 0
    ? { verdict: 'pass', reasons: [`looked at ${paths.length} changed file(s), none is empty`] }
    : { verdict: 'fail', reasons: findings.map(({ message }) => message), findings }
}
