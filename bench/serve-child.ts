/** The server that bench/training-serve.ts asks: a policy behind HTTP in a process of its own, its champion changed on demand. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from '../core/clock.ts'
import { systemIds } from '../core/ids.ts'
import { openPpo } from '../training/algo/ppo.ts'
import { PPO_PRESETS } from '../training/algo/presets.ts'
import { wasmBackend } from '../training/backend/wasm.ts'
import { cartPole } from '../training/env/cart-pole.ts'
import { vectorise } from '../training/env/vector.ts'
import { type InUse, servedPolicy, servePolicy } from '../training/serve/index.ts'

const config = PPO_PRESETS.cartPole
const model = (seed: number) =>
  openPpo({ environment: vectorise(cartPole, config.environments), config, backend: wasmBackend(), seed }).model()
const champions = [1, 2].map((seed) =>
  servedPolicy({ run: `${seed}`.repeat(12), version: `${seed}`.repeat(64), model: model(seed) }),
)
const use = (n: number): InUse => ({ commit: `${n}`.repeat(40), champion: champions[n % 2] as (typeof champions)[number] })

const folder = await mkdtemp(join(tmpdir(), 'vt-bench-serve-'))
let inUse = use(0)
const server = await servePolicy({
  policy: 'cart-pole',
  port: 0,
  share: 0,
  explore: false,
  thresholds: {},
  load: async () => inUse,
  log: join(folder, 'decisions.jsonl'),
  clock: systemClock,
  ids: systemIds(systemClock),
  onBreach: async () => {},
  onNote: () => {},
})
process.send?.({ url: server.url })
let changes = 0
process.on('message', async (asked) => {
  if (asked === 'roll back') {
    inUse = use(++changes)
    const before = performance.now()
    await server.refresh()
    process.send?.({ changedMs: performance.now() - before })
  } else {
    const { user, system } = process.cpuUsage()
    await server.close()
    await rm(folder, { recursive: true, force: true })
    process.send?.({ cpuMs: (user + system) / 1000 })
    process.disconnect()
  }
})
