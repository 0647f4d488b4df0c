import { ValuetrainError } from '../../../core/errors.ts'
import { entryOf } from '../../../training/errors/catalogue.ts'
import { named } from '../../../training/errors/diagnose.ts'
import { attend, type TrainerResult } from '../../../training/gpu/attend.ts'
import { noteLease, providerNamed } from '../../../training/gpu/open.ts'
import { argument, defineCommand, flag } from '../../command.ts'
import { duration } from '../../display/text.ts'
import { openGpu } from '../../gpu.ts'

export default defineCommand({
  description:
    'Leases a machine with graphics cards, starts `training.gpu.trainer` there, and shows its log until it ends. Code and data have to lie there already: nothing is copied. When this program dies, or cannot reach the machine for `training.gpu.leaseMs`, the lease ends by itself and takes the trainer with it.',
  examples: [
    { does: 'On this machine', line: 'gpu run' },
    { does: 'On two cards of another one', line: 'gpu run box --cards 2' },
    { does: 'Without a card', line: 'gpu run box --no-cards' },
  ],
  args: {
    machine: argument.optional('`local`, or a name of `training.gpu.ssh` or `training.gpu.providers`; local unless told.'),
  },
  flags: {
    cards: flag.count('N', 'Lease so many cards; 1 unless told.', 1, 64),
    'no-cards': flag.switch('Lease the machine alone.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const { providers, gpu, root, stateDir } = await openGpu(context)
    const provider = providerNamed(providers, args.machine ?? 'local')
    const argv = gpu.trainer
    if (argv === undefined) {
      throw new ValuetrainError('VT_GPU_TRAINER', '`training.gpu.trainer` names no program to start', {
        kind: 'config',
        hint: 'set it in .valuetrain/config.yaml, for example [python3, train.py]',
      })
    }
    const hours = Math.min(gpu.maxHours, gpu.maxUsd !== null && provider.usdPerHour > 0 ? gpu.maxUsd / provider.usdPerHour : 720)
    const request = {
      id: context.ids.ulid(),
      cards: flags['no-cards'] ? 0 : (flags.cards ?? 1),
      ttlS: Math.floor(gpu.leaseMs / 1000),
      mostS: Math.max(1, Math.floor(3600 * hours)),
    }
    const dir = provider.id === 'local' ? root : (gpu.ssh[provider.id] ?? gpu.providers[provider.id])?.dir
    const tell = (event: object) => flags.json && context.stdout.write(`${JSON.stringify(event)}\n`)
    const forget = await noteLease(stateDir, request.id, provider.id)
    const result = await attend(provider, {
      request,
      trainer: { argv, ...(dir === undefined ? {} : { dir }) },
      clock: context.clock,
      signal: context.signal,
      onLease: ({ id, cards }) => {
        tell({ type: 'leased', lease: id, provider: provider.id, cards })
        context.stderr.write(`lease ${id} on ${provider.id}, cards ${cards.join(', ') || 'none'}\n`)
      },
      onLog: (text) => {
        tell({ type: 'log', text })
        if (!flags.json) context.stdout.write(tame(text))
      },
      onBeat: (beat) => tell({ type: 'beat', ...beat }),
      onSilence: (error) => context.stderr.write(`heartbeat missed: ${error.message}\n`),
    }).catch((error) => {
      throw named(error)
    })
    // What threw may have left a lease behind, whose note `reap` then needs.
    await forget()
    tell({ type: 'ended', ...result })
    if (result.why === 'trainer-ended' && result.exit === 0) {
      context.stderr.write(`trainer done in ${duration(1000 * result.seconds)}, $${result.usd.toFixed(4)}\n`)
      return 0
    }
    throw named(trainerError(result))
  },
})

/** The log of another program moves no cursor and writes no title of our terminal. */
function tame(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, '')
}

function trainerError({ lease, why, exit, usd, found }: TrainerResult): ValuetrainError {
  const [first] = found
  const entry = first && entryOf(first.code)
  const how = {
    'trainer-ended': `the trainer ended with ${exit}`,
    stopped: 'the trainer was stopped',
    'no-heartbeat': 'the lease ended, as no heartbeat reached it',
    limit: 'the lease ended at its limit of time or money',
    reaped: 'the lease was reaped',
  }[why]
  const code =
    why === 'limit'
      ? 'VT_RUN_BUDGET'
      : why === 'no-heartbeat' || why === 'reaped'
        ? 'VT_GPU_LOST'
        : first?.code === 'T202'
          ? 'VT_GPU_MEMORY'
          : 'VT_GPU_TRAINER'
  const seen = first === undefined ? '' : `; ${first.code} ${entry?.title}: ${first.evidence}`
  return new ValuetrainError(code, `${how} (lease ${lease.id}, $${usd.toFixed(4)})${seen}`, {
    kind: 'environment',
    hint:
      first === undefined
        ? 'its log stands above'
        : 'write its log to a file; `valuetrain diagnose CONFIG FILE` lists what to try',
    details: { lease: lease.id, why, exit: exit ?? null, found },
  })
}
