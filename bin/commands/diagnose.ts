import { readFile } from 'node:fs/promises'
import { fileError, writeAtomically } from '../../core/files.ts'
import {
  type Anomaly,
  type Diagnosis,
  diagnosisOf,
  examineData,
  type Judgement,
  judgeDisagreement,
  type ModelCall,
  readDataTable,
  readTrainerLog,
  tokenDrift,
} from '../../training/errors/index.ts'
import { isRouting } from '../../training/router/train/config.ts'
import { diagnosisFile } from '../../training/run/execute.ts'
import { argument, defineCommand, flag } from '../command.ts'
import { refuseRouter } from '../train-router.ts'
import { configNamed, openTraining, outputPath } from '../training.ts'

const KINDS = ['log', 'data', 'judge', 'calls'] as const

export default defineCommand({
  description:
    'Reads what a training left behind and says what went wrong, by code, with the evidence and the fixes: the log of a trainer or provider (out of memory, keys, capacity, quota, lost machines), a data file (types, leakage, rare classes), judgements of repeated answers (lines of case and verdict), or model calls (lines of rollout, prompt and response as token ids). A fix that is a change of the configuration is kept for `train CONFIG --fix`.',
  examples: [
    { does: 'Why the trainer died', line: 'diagnose train.yaml trainer.log' },
    {
      does: 'Whether what is measured on was learned from',
      line: 'diagnose train.yaml train.csv --kind data --held test.csv --target label',
    },
  ],
  args: {
    config: argument.text('The train.yaml, or the name of a recipe, that was trained.'),
    file: argument.text('What it left behind.'),
  },
  flags: {
    kind: flag.choice(KINDS, 'What the file is; log unless told.'),
    held: flag.text('FILE', 'With data: the other split, that is measured on.'),
    target: flag.text('COLUMN', 'With data: what is to be foretold.'),
  },
  json: true,
  async run(context, { args, flags }) {
    const place = await openTraining(context)
    const { config, source } = await configNamed(args.config, context, place.root)
    if (isRouting(config)) throw refuseRouter(config, 'a diagnosis')
    const textOf = (name: string) =>
      readFile(outputPath(context, name), 'utf8').catch((cause) => {
        throw fileError(cause, 'read', name)
      })
    const text = await textOf(args.file)
    const held = flags.held === undefined ? undefined : readDataTable(await textOf(flags.held), flags.held)
    const found = anomaliesOf(flags.kind ?? 'log', text, args.file, {
      ...(held === undefined ? {} : { held }),
      ...(flags.target === undefined ? {} : { target: flags.target }),
    })
    const codes = [...new Set(found.map(({ code }) => code))]
    const evidence = (code: string) => found.filter((one) => one.code === code).map((one) => one.evidence)
    const diagnoses = codes.flatMap((code) => diagnosisOf(code, config, evidence(code)) ?? [])
    const mendable = diagnoses.find(({ fixes }) => fixes.some(({ patch }) => Object.keys(patch).length > 0))
    if (mendable !== undefined) {
      await writeAtomically(diagnosisFile(place.stateDir, config.name), `${JSON.stringify({ source, ...mendable }, null, 1)}\n`)
    }
    if (flags.json) context.stdout.write(`${JSON.stringify({ diagnoses, fix: mendable?.code ?? null })}\n`)
    else {
      const next = mendable === undefined ? '' : `next: valuetrain train ${source} --fix\n`
      context.stdout.write(
        diagnoses.length === 0 ? `nothing of the catalogue is in ${args.file}\n` : `${diagnoses.map(tell).join('\n')}${next}`,
      )
    }
    return diagnoses.length === 0 ? 0 : 1
  },
})

function anomaliesOf(kind: (typeof KINDS)[number], text: string, file: string, of: Parameters<typeof examineData>[1]): Anomaly[] {
  if (kind === 'log') return readTrainerLog(text)
  const table = readDataTable(text, file)
  if (kind === 'data') return examineData(table, of)
  const rows = table.rows.map(({ cells }) => Object.fromEntries(table.columns.map((column, n) => [column, cells[n] as string])))
  if (kind === 'judge') return judgeDisagreement(rows as unknown as Judgement[])
  const tokens = (cell: string | undefined) => JSON.parse(cell ?? '[]') as number[]
  const calls = rows.map(
    ({ rollout = '', prompt, response }): ModelCall => ({ rollout, prompt: tokens(prompt), response: tokens(response) }),
  )
  return tokenDrift(calls)
}

function tell({ code, title, cause, evidence, fixes }: Diagnosis): string {
  const lines = [`${code} ${title}: ${cause}`, ...evidence.map((one) => `  ${one}`), ...fixes.map(({ does }) => `  fix: ${does}`)]
  return lines.map((line) => `${line}\n`).join('')
}
