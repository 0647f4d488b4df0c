import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { sourceDigest } from '../../scripts/sources.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FULL = process.env.VALUETRAIN_FULL !== undefined
/** Journeys that are killed at the same time in the full tier: each waits for git and the forge for half of its time. */
const AT_ONCE = Number(process.env.VALUETRAIN_AT_ONCE ?? 2)

/** Where a run is killed: at the n-th of something. */
export type Place = [when: string, count: number]

/** What became of a run that was killed at a place, and what should have. */
export interface Ended {
  got: unknown
  due: unknown
}

/** Returns every place of these numbers of steps: `{ after: 2 }` has two. */
export function allPlaces(steps: Readonly<Record<string, number>>): Place[] {
  return Object.entries(steps).flatMap(([when, most]) => Array.from({ length: most }, (_, at) => [when, at + 1] as Place))
}

/** Returns the places of a whole run, from its lines `after SOMETHING (changed)`, without those at which nothing had changed. */
export function placesIn(lines: readonly string[]): Place[] {
  const counts = new Map<string, number>()
  return lines.flatMap((text): Place[] => {
    const [, when, change] = /^(\w+) .* \((same|changed)\)$/.exec(text) ?? []
    if (when === undefined) return []
    const count = (counts.get(when) ?? 0) + 1
    counts.set(when, count)
    return change === 'same' ? [] : [[when, count]]
  })
}

/**
 * Kills a run at each place and returns those that did not end as they should. In the full tier that is every place which has
 * not been seen to end well on these sources, so that a long run goes on where it was stopped; otherwise what was drawn.
 * `VALUETRAIN_PLACES=after:82,before:%4` names others: one, and every fourth.
 *
 * @param suite name of the record of what was seen
 * @param all every place, for the full tier
 * @param drawn what is looked at otherwise
 */
export async function visit(
  suite: string,
  all: () => Promise<Place[]>,
  drawn: readonly Place[],
  kill: (place: Place) => Promise<Ended>,
): Promise<Ended[]> {
  const seen = FULL ? await openSeen(suite) : undefined
  const named = process.env.VALUETRAIN_PLACES
  const every = FULL || named !== undefined ? await all() : []
  const due = named ? namedPlaces(named, every) : FULL ? spread(every).filter((place) => !seen?.has(place)) : [...drawn]
  const wrong: Ended[] = []
  const lane = async () => {
    for (let place = due.shift(); place !== undefined; place = due.shift()) {
      const from = performance.now()
      const ended = await kill(place)
      if (isDeepStrictEqual(ended.got, ended.due)) await seen?.add(place, (performance.now() - from) / 1000)
      else wrong.push(ended)
    }
  }
  await Promise.all(Array.from({ length: FULL ? AT_ONCE : 1 }, lane))
  return wrong
}

/** Far from one another first, so that a run which is stopped has been everywhere. */
function spread(places: readonly Place[]): Place[] {
  const golden = (Math.sqrt(5) - 1) / 2
  const turn = (at: number) => (at * golden) % 1
  return places
    .map((place, at) => ({ place, at: turn(at) }))
    .sort((a, b) => a.at - b.at)
    .map(({ place }) => place)
}

function namedPlaces(named: string, all: readonly Place[]): Place[] {
  return named.split(',').flatMap((text): Place[] => {
    const [when, count] = text.split(':') as [string, string]
    const every = Number(/^%(\d+)$/.exec(count)?.[1])
    return every > 0 ? all.filter((place) => place[0] === when && place[1] % every === 0) : [[when, Number(count)]]
  })
}

interface Seen {
  has(place: Place): boolean
  add(place: Place, seconds: number): Promise<void>
}

/** Opens the record of a suite; what was seen on other sources, or with other tests, does not count. */
async function openSeen(suite: string): Promise<Seen> {
  const file = join(ROOT, 'node_modules', '.cache', 'valuetrain', 'places', `${suite}.json`)
  const state = await digestOfSources()
  const known = await readFile(file, 'utf8').then(JSON.parse, () => ({}))
  const seconds: Record<string, number> = known.state === state ? known.seconds : {}
  return {
    has: ([when, count]) => seconds[`${when}:${count}`] !== undefined,
    async add([when, count], took) {
      seconds[`${when}:${count}`] = Math.round(took * 10) / 10
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, `${JSON.stringify({ state, seconds }, undefined, 2)}\n`)
    },
  }
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256').update(await sourceDigest(ROOT))
  for (const folder of ['tests/conductor', 'tests/support', 'tests/support/github'])
    for (const name of (await readdir(join(ROOT, folder))).filter((name) => name.endsWith('.ts')).sort())
      hash.update(`${folder}/${name}\0`).update(await readFile(join(ROOT, folder, name)))
  return hash.digest('hex')
}
