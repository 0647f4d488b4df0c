import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { ValuetrainError } from '../../core/errors.ts'
import { fileError } from '../../core/files.ts'
import { readerAt } from '../../core/reader.ts'
import { resolveCommit } from '../../core/tree.ts'
import { runsAt } from '../../training/run/index.ts'
import {
  type Breach,
  type InUse,
  parseLoad,
  type ScaleRule,
  scaleTrace,
  servedInUse,
  serveLog,
  servePolicy,
  type Thresholds,
} from '../../training/serve/index.ts'
import { argument, defineCommand, type Flag, flag, usageError } from '../command.ts'
import type { Context } from '../context.ts'
import { policyNamed } from '../policies.ts'
import { openTraining, outputPath, type TrainingPlace } from '../training.ts'
import { openIssues } from '../wiring.ts'

export default defineCommand({
  description:
    'Serves a policy over HTTP: POST /decide and /outcome, GET /health and /metrics. Which run answers follows the records of the default branch; a promotion or rollback takes effect within a second, between two requests. Decisions are logged with their propensities. A limit that does not hold opens an issue. A policy of an environment decides on an observation, a router on the labels, mode, title and body of an issue.',
  examples: [
    { does: 'Serve the champion', line: 'serve cart-pole --port 8080' },
    { does: 'Let the challenger answer a tenth of the keys', line: 'serve cart-pole --share 0.1 --p99-ms 2 --errors 0.001' },
    { does: 'How many processes a load would take', line: 'serve cart-pole --rate 500 --load load.txt --most 8' },
  ],
  args: { policy: argument.text('Name of the policy.') },
  flags: {
    port: flag.count('N', 'Port; 0, the default, takes a free one.', 0, 65_535),
    host: flag.text('ADDRESS', 'Address to listen on; this machine only unless told.'),
    share: number('SHARE', 'Share of keys the challenger answers, from 0 to 1; 0.1 unless told.', 0, 1),
    rate: number('N', 'Decisions a second at most; what is more is answered with 429. Unlimited unless told.', 0.001),
    load: flag.text(
      'FILE',
      'Serve nothing: say how many processes of --rate this load takes, a number of requests a second a line.',
    ),
    least: flag.count('N', 'With --load: processes that are always there; 0 unless told.', 0, 10_000),
    most: flag.count('N', 'With --load: processes at most; 16 unless told.', 1, 10_000),
    idle: flag.count('S', 'With --load: seconds that fewer have to be enough before one goes; 60 unless told.', 1, 86_400),
    explore: flag.switch('Draw actions by their probabilities instead of taking the best.'),
    'p99-ms': number('MS', 'Limit: milliseconds that 99 of 100 answers stay below.'),
    errors: number('SHARE', 'Limit: share of requests that may fail.', 0, 1),
    usd: number('USD', 'Limit: mean dollars of an outcome.'),
    score: number('SCORE', 'Limit: least mean score of outcomes.', Number.NEGATIVE_INFINITY),
  },
  json: true,
  forge: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const policy = await policyNamed(place, args.policy)
    const alone = (['least', 'most', 'idle'] as const).find((name) => flags[name] !== undefined)
    if (alone !== undefined && flags.load === undefined) {
      throw usageError(`--${alone} is for --load`, 'one `serve` is one process; --load FILE says how many a load takes')
    }
    const { rate, load, least = 0, most = 16, idle: idleS = 60 } = flags
    if (load !== undefined) {
      if (rate === undefined) throw usageError('--load needs --rate', 'say how many decisions a second one process is to make')
      return tellScale(context, load, { perProcess: rate, least, most, idleS }, flags.json)
    }
    const say = (type: string, facts: object, text: string) =>
      context.stdout.write(flags.json ? `${JSON.stringify({ type, ...facts })}\n` : `${text}\n`)
    const thresholds: Thresholds = {
      ...(flags['p99-ms'] === undefined ? {} : { latencyP99Ms: flags['p99-ms'] }),
      ...(flags.errors === undefined ? {} : { errorShare: flags.errors }),
      ...(flags.usd === undefined ? {} : { usdPerDecision: flags.usd }),
      ...(flags.score === undefined ? {} : { scoreAtLeast: flags.score }),
    }
    const server = await servePolicy({
      policy,
      port: flags.port ?? 0,
      ...(flags.host === undefined ? {} : { host: flags.host }),
      share: flags.share ?? 0.1,
      explore: flags.explore,
      thresholds,
      ...(rate === undefined ? {} : { rate }),
      load: follow(place, policy),
      log: serveLog(place.stateDir, policy),
      clock: context.clock,
      ids: context.ids,
      async onBreach(breach) {
        const { forge } = await openIssues(context, flags.forge)
        const issue = await forge.openIssue(issueOf(policy, breach))
        say('breach', { ...breach, issue: issue.number }, `opened issue ${issue.number}: ${issue.title}`)
      },
      onNote: (text) => say('note', { text }, text),
    })
    say('listening', { url: server.url, policy }, `${policy} on ${server.url}`)
    if (!context.signal.aborted) await once(context.signal, 'abort')
    await server.close()
    return 0
  },
})

/** Tells how many processes a load takes: a line where the number changes, all seconds to programs. */
async function tellScale(context: Context, file: string, rule: ScaleRule, json: boolean): Promise<number> {
  const text = await readFile(outputPath(context, file), 'utf8').catch((cause) => {
    throw fileError(cause, 'read', file)
  })
  const steps = scaleTrace(parseLoad(text, file), rule)
  const peak = steps.reduce((most, { wanted }) => Math.max(most, wanted), 0)
  const processSeconds = steps.reduce((sum, { processes }) => sum + processes, 0)
  const refused = steps.reduce((sum, step) => sum + step.refused, 0)
  if (json) {
    context.stdout.write(`${JSON.stringify({ rule, peak, processSeconds, refused, steps })}\n`)
    return 0
  }
  const changes = steps.filter(({ processes, wanted }) => processes !== wanted)
  const lines = changes.map(
    ({ second, requests, processes, wanted }) => `second ${second}: ${requests} requests, ${processes} -> ${wanted} processes`,
  )
  const total = `${steps.length} seconds: ${peak} processes at most, ${processSeconds} process seconds, ${refused} requests told to come again`
  context.stdout.write(`${[...lines, total].join('\n')}\n`)
  return 0
}

/** Looks only at the commit of the default branch until it moves. */
function follow({ git, branch }: TrainingPlace, policy: string): () => Promise<InUse> {
  let last: InUse | undefined
  return async () => {
    const commit = await resolveCommit(git, `refs/heads/${branch}`)
    if (commit === undefined) throw noChampion(policy, branch)
    if (commit === last?.commit) return last
    const [reader, runs] = [readerAt(git, commit), runsAt(git, commit)]
    const champion = await servedInUse(reader, runs, policy)
    if (champion === undefined) throw noChampion(policy, branch)
    const challenger = await servedInUse(reader, runs, policy, 'challenger')
    const isRival = challenger !== undefined && challenger.version !== champion.version
    last = { commit, champion, ...(isRival ? { challenger } : {}) }
    return last
  }
}

function noChampion(policy: string, branch: string): ValuetrainError {
  return new ValuetrainError('VT_POLICY_UNKNOWN', `${policy} has no champion on ${branch}`, {
    hint: 'promote a run: `valuetrain policy promote RUN`',
  })
}

const NAMES = {
  latencyP99Ms: 'p99 latency in ms',
  errorShare: 'share of failed requests',
  usdPerDecision: 'mean cost in dollars',
  scoreAtLeast: 'mean score',
} as const

function issueOf(policy: string, { what, arm, value, limit, of }: Breach) {
  const shown = Number(value.toPrecision(4))
  return {
    title: `Policy ${policy}: ${NAMES[what]} of the ${arm} is ${shown}, limit ${limit}`,
    body: [
      `The server of \`${policy}\` measured ${NAMES[what]} of the ${arm} as ${shown} over the last ${of} values; the limit is ${limit}.`,
      '',
      `- \`valuetrain policy show ${policy}\` says which run that is, and what was in use before.`,
      `- \`valuetrain policy rollback ${policy}\` puts that back without failing a request.`,
    ].join('\n'),
    labels: ['operate'],
  }
}

function number(value: string, summary: string, min = 0, max = Number.POSITIVE_INFINITY): Flag<number | undefined> {
  return {
    kind: 'option',
    value,
    summary,
    read(raw, name) {
      if (raw === undefined) return undefined
      const read = Number(raw)
      if (String(raw).trim() !== '' && read >= min && read <= max) return read
      const range =
        max === Number.POSITIVE_INFINITY ? (min === Number.NEGATIVE_INFINITY ? '' : ` from ${min}`) : ` from ${min} to ${max}`
      throw usageError(`--${name} cannot be "${String(raw).slice(0, 80)}"`, `it takes a number${range}`)
    },
  }
}
