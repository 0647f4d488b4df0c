/** Leases on a machine of one's own: files in one folder of it, and a guard that ends what nobody keeps alive. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ValuetrainError } from '../../core/errors.ts'
import { gpuError } from './faults.ts'
import { type Machine, word } from './machine.ts'
import { QUERY, readCards } from './nvidia-smi.ts'
import type { Beat, GpuProvider, HeldLease, LeaseEnd, LeaseRequest, Stock } from './provider.ts'

const ID = /^[0-9A-Z]{26}$/
/** Bytes of log that one heartbeat brings. */
const TAIL = 65_536
/** Seconds in which a guard has to be up, or a lease to be over. */
const PATIENCE_S = 20

/**
 * What the scripts below share. A number may be somebody else's by now, so a guard counts only if it names its lease.
 * Where the system tells no command lines, the number has to do.
 */
const SHARED = `
guarded() {
  keeper=$(cat "$base/$1/guard" 2>/dev/null) || return 1
  kill -0 "$keeper" 2>/dev/null || return 1
  [ ! -r "/proc/$keeper/cmdline" ] || grep -q "$1" "/proc/$keeper/cmdline"
}
marked() { grep -ls "VALUETRAIN_LEASE=$1" /proc/[0-9]*/environ 2>/dev/null | tr -dc '0-9\\n'; }
free() { for claim in "$base"/card-*; do [ "$(cat "$claim" 2>/dev/null)" = "$1" ] && rm -f "$claim"; done; }
`

/** Returns the provider of one machine. */
export function machineProvider(id: string, title: string, machine: Machine, usdPerHour: number): GpuProvider {
  // Without a home the folder would lie at the root.
  const tell = (script: string) =>
    machine.tell(`[ -n "$HOME" ] || exit 73\nbase=${machine.base}\nmkdir -p "$base" || exit 73\n${SHARED}${script}`)
  const at = (lease: string) => {
    if (!ID.test(lease)) throw new TypeError(`"${lease}" is no id of a lease`)
    return `lease=${lease}\n`
  }
  const list = async () => stockOf(await tell(LIST))
  return {
    id,
    title,
    usdPerHour,
    list,
    async lease(request) {
      const cards = chooseCards(request, await list(), machine.name)
      const guard = await readFile(new URL('./guard.sh', import.meta.url), 'utf8')
      const taken = (await tell(`${at(request.id)}${take(cards, guard)}`)).trim()
      if (taken.startsWith('lost ')) {
        throw gpuError('VT_GPU_CAPACITY', `${machine.name} has no free card: ${taken.slice('lost '.length)} was taken just now`)
      }
      if (taken !== 'taken') {
        await tell(`${at(request.id)}free $lease`)
        throw gpuError('VT_GPU_LOST', `lease ${request.id} could not be written on ${machine.name}`)
      }
      const words = [request.id, `${request.ttlS}`, `${request.mostS}`, cards.join(',')].map(word).join(' ')
      await machine.guard(`sh ${machine.base}/${request.id}/guard.sh ${machine.base}/${request.id} ${words}`)
      const isUp = (await tell(`${at(request.id)}${waitFor('begun')}`)).trim() === 'yes'
      if (!isUp) {
        await tell(`${at(request.id)}free $lease; rm -r "$base/$lease"`)
        throw gpuError('VT_GPU_LOST', `the guard of lease ${request.id} on ${machine.name} did not start`)
      }
      return { provider: id, id: request.id, cards, usdPerHour }
    },
    async start(lease, { argv, dir }) {
      const go = `cd ${dir === undefined ? '"$HOME"' : word(dir)} || exit 72\nexec ${argv.map(word).join(' ')}\n`
      await tell(`${at(lease.id)}cd "$base/$lease" && ${writing('go.new', go)} && mv go.new go`)
    },
    async beat(lease, from) {
      const text = await tell(`${at(lease.id)}${beating(from)}`)
      return beatOf(text, from, `lease ${lease.id} on ${machine.name}`)
    },
    async stop({ id: lease }) {
      const left = Number((await tell(`${at(lease)}${END}`)).trim())
      if (left > 0) throw stillRuns(lease, left, machine.name)
    },
    async reap(ownerless) {
      await tell(FORGET)
      const { leases } = await list()
      const strays = leases.filter((lease) => !lease.guarded || ownerless.includes(lease.id))
      const reaped = []
      for (const { id: lease, guarded } of strays) {
        const before = Number((await tell(`${at(lease)}marked $lease | grep -c .`)).trim())
        const left = Number((await tell(`${at(lease)}${END}`)).trim())
        if (left > 0) throw stillRuns(lease, left, machine.name)
        reaped.push({
          provider: id,
          lease,
          processes: before,
          why: guarded ? 'whoever took it is gone' : 'nothing guarded it any more',
        })
      }
      return reaped
    },
  }
}

const LIST = `
for dir in "$base"/*/; do
  lease=$(basename "$dir")
  if [ ! -d "$dir" ] || [ -f "$dir/ended" ]; then continue; fi
  if guarded "$lease"; then state=guarded; else state=stray; fi
  echo "lease $lease $state $(cat "$dir/cards" 2>/dev/null)"
done
if command -v nvidia-smi >/dev/null 2>&1; then
  report=$(nvidia-smi --query-gpu=${QUERY} --format=csv,noheader,nounits 2>&1 </dev/null)
  code=$?
else
  report='' code=127
fi
echo "exit $code"
printf '%s' "$report"
`

function stockOf(text: string): Stock {
  const lines = text.split('\n')
  const end = lines.findIndex((line) => line.startsWith('exit '))
  const leases = lines.slice(0, end).flatMap((line) => heldOf(line) ?? [])
  return { leases, ...readCards(lines.slice(end + 1).join('\n'), Number(lines[end]?.slice('exit '.length))) }
}

function heldOf(line: string): HeldLease | undefined {
  const [, id = '', state, cards = ''] = line.split(' ')
  return ID.test(id) ? { id, cards: cards.split(',').filter((card) => card !== ''), guarded: state === 'guarded' } : undefined
}

/** Free cards, the emptiest first. A card that somebody else's program fills is not taken. */
function chooseCards({ cards: wanted }: LeaseRequest, stock: Stock, name: string): string[] {
  if (wanted === 0) return []
  const { cards, leases, why } = stock
  if (why !== undefined) throw gpuError('VT_GPU_CAPACITY', `${name} has no card to lease: ${why}`)
  const held = new Set(leases.flatMap((lease) => lease.cards))
  const free = cards
    .filter((card) => !held.has(card.id) && !((card.usedMiB ?? 0) > 0.1 * (card.memoryMiB ?? Number.POSITIVE_INFINITY)))
    .sort((a, b) => (a.usedMiB ?? 0) - (b.usedMiB ?? 0) || a.index - b.index)
  if (free.length >= wanted) return free.slice(0, wanted).map(({ id }) => id)
  const stray = leases.find((lease) => !lease.guarded && lease.cards.length > 0)
  if (stray !== undefined) {
    throw new ValuetrainError('VT_GPU_STRAY', `stray lease ${stray.id} on ${name} holds ${stray.cards.join(', ')}`, {
      kind: 'environment',
      hint: 'end it with `valuetrain gpu reap`',
    })
  }
  throw gpuError('VT_GPU_CAPACITY', `${name} has ${free.length} of ${cards.length} cards free, and ${wanted} are asked for`)
}

/** Claims by files that must not be there yet, all or none; prints the card that somebody was quicker with. */
function take(cards: readonly string[], guard: string): string {
  return `
set -C
for card in ${cards.map(word).join(' ')}; do
  if ! echo $lease >"$base/card-$card"; then free $lease; echo "lost $card"; lost=yes; break; fi
done
set +C
[ -z "$lost" ] && mkdir "$base/$lease" && cd "$base/$lease" && echo taken && echo ${word(cards.join(','))} >cards && ${writing('guard.sh', guard)}
`
}

/** A file's text goes in as one quoted word; a here-document would need an end that is not in it. */
function writing(file: string, text: string): string {
  return `printf %s ${word(text)} >${file}`
}

function waitFor(file: string): string {
  return `
round=0
while [ ! -f "$base/$lease/${file}" ] && [ $round -lt ${PATIENCE_S * 5} ]; do sleep 0.2; round=$((round + 1)); done
[ -f "$base/$lease/${file}" ] && echo yes
`
}

function beating(from: number): string {
  return `
if cd "$base/$lease" 2>/dev/null; then
  echo ${randomUUID()} >beat.new && mv beat.new beat
  if [ -f ended ]; then echo "ended $(cat begun) $(cat ended)"
  elif ! guarded $lease; then echo stray
  elif [ -f go ]; then echo "running $(cat begun) - $(date +%s)"
  else echo "leased $(cat begun) - $(date +%s)"
  fi
  cat exit 2>/dev/null || echo -
  tail -c +${from + 1} log 2>/dev/null | head -c ${TAIL} | od -An -v -tx1 | tr -d ' \\n'
else
  echo gone
fi
`
}

/** The log comes in hexadecimal digits: a tail may begin within a character, and whatever a trainer prints passes. */
function beatOf(text: string, from: number, name: string): Beat {
  const [head = '', exit = '-', hex = ''] = text.split('\n')
  const [word, begun, why, now] = head.split(' ')
  if (word !== 'ended' && word !== 'running' && word !== 'leased') {
    throw gpuError('VT_GPU_LOST', `${name} is lost: ${word === 'stray' ? 'its guard died' : 'nothing is left of it'}`)
  }
  const log = Buffer.from(hex, 'hex')
  const whole = word === 'ended' ? log.length : lastWhole(log)
  return {
    state: word,
    why: word === 'ended' ? (why as LeaseEnd) : undefined,
    exit: /^\d+$/.test(exit) ? Number(exit) : undefined,
    seconds: Math.max(0, Number(now) - Number(begun)),
    log: log.toString('utf8', 0, whole),
    next: from + whole,
  }
}

/** Returns how many bytes end with a whole line; all of them where a line is longer than a tail. */
function lastWhole(log: Buffer): number {
  const end = log.lastIndexOf(0x0a) + 1
  return end === 0 && log.length === TAIL ? log.length : end
}

/** Asks the guard to end the lease, or does it where there is none; prints how many processes are left. */
const END = `
if [ -d "$base/$lease" ]; then
  : >"$base/$lease/stop"
  round=0
  while guarded $lease && [ ! -f "$base/$lease/ended" ] && [ $round -lt ${PATIENCE_S * 5} ]; do sleep 0.2; round=$((round + 1)); done
fi
for signal in TERM KILL KILL; do
  left=$(marked $lease)
  [ -z "$left" ] && break
  kill -$signal $left 2>/dev/null
  sleep 1
done
free $lease
[ -d "$base/$lease" ] && [ ! -f "$base/$lease/ended" ] && echo "reaped $(date +%s)" >"$base/$lease/ended"
marked $lease | grep -c .
`

/** What leases of more than a week ago have left. */
const FORGET = `
for dir in "$base"/*/; do
  [ -f "$dir/ended" ] && [ -n "$(find "$dir/ended" -mtime +7)" ] && rm -r "$dir"
done
`

function stillRuns(lease: string, left: number, name: string): ValuetrainError {
  return new ValuetrainError('VT_GPU_PROCESS', `${left} processes of lease ${lease} on ${name} could not be ended`, {
    kind: 'environment',
    hint: 'they hang in the driver or belong to another user; look for them there with `nvidia-smi` and `ps`',
  })
}
