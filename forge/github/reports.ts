import type { GateReport } from '../../core/contracts/forge.ts'
import type { Standing } from '../../core/contracts/gate.ts'
import type { Client } from './client.ts'
import { DESCRIPTION_LENGTH, publishable, shorten } from './text.ts'

const SUMMARY = 'valuetrain'
const ANNOTATIONS_A_CALL = 50

/** Tells whether the name of a status or check run is one of ours: `valuetrain` or `valuetrain/<gate>`. */
export function isOurReport(name: string): boolean {
  return name === SUMMARY || name.startsWith(`${SUMMARY}/`)
}

/** Reports gates on a commit: by check runs for an App, which alone may make those, else by commit statuses. */
export async function reportAll(
  client: Client,
  commit: string,
  reports: readonly GateReport[],
  summary: { title: string; text: string } | undefined,
): Promise<void> {
  const all = summary ? [...reports.map(namedReport), summaryReport(reports, summary)] : reports.map(namedReport)
  if (client.credentials.kind === 'app') await reportRuns(client, commit, all)
  else await reportStatuses(client, commit, all)
}

interface NamedReport {
  name: string
  standing: Standing
  title: string
  text: string
  annotations: readonly { path: string; line: number; message: string }[]
}

function namedReport({ gate, standing, description, annotations = [] }: GateReport): NamedReport {
  return { name: `${SUMMARY}/${gate}`, standing, title: description, text: description, annotations }
}

/** The summary is as good as the worst gate. */
function summaryReport(reports: readonly GateReport[], { title, text }: { title: string; text: string }): NamedReport {
  const order: readonly Standing[] = ['fail', 'inconclusive', 'missing', 'stale', 'pass']
  const standing = order.find((word) => reports.some((report) => report.standing === word)) ?? 'pass'
  return { name: SUMMARY, standing, title, text, annotations: [] }
}

const STATES: Record<Standing, 'success' | 'failure' | 'error' | 'pending'> = {
  pass: 'success',
  waived: 'success',
  'not-applicable': 'success',
  fail: 'failure',
  inconclusive: 'error',
  missing: 'pending',
  stale: 'pending',
}

async function reportStatuses(client: Client, commit: string, reports: readonly NamedReport[]): Promise<void> {
  const route = 'GET /repos/{owner}/{repo}/commits/{ref}/status'
  const there = await client.list<{ context: string; state: string; description: string | null }>(route, { ref: commit })
  for (const { name, standing, title } of reports) {
    const said = standing === 'waived' || standing === 'not-applicable' ? `${standing}: ${title}` : title
    const status = { state: STATES[standing], context: shorten(name, 255), description: shorten(said, DESCRIPTION_LENGTH) }
    const same = there.find(({ context }) => context === status.context)
    if (same?.state === status.state && (same.description ?? '') === status.description) continue
    await client.put('POST /repos/{owner}/{repo}/statuses/{sha}', { sha: commit, ...status })
  }
}

const CONCLUSIONS: Record<Standing, string | undefined> = {
  pass: 'success',
  waived: 'neutral',
  'not-applicable': 'skipped',
  fail: 'failure',
  inconclusive: 'failure',
  missing: undefined,
  stale: undefined,
}

interface Run {
  id: number
  name: string
  status: string
  conclusion: string | null
  output: { title: string | null; summary: string | null; annotations_count: number }
}

async function reportRuns(client: Client, commit: string, reports: readonly NamedReport[]): Promise<void> {
  for (const report of reports) {
    const run = await openRun(client, commit, report)
    await addAnnotations(client, run, report)
  }
}

/** Adopts the run that says the same, else makes a new one; the newest of a name is what counts and is shown. */
async function openRun(client: Client, commit: string, report: NamedReport): Promise<Run> {
  const conclusion = CONCLUSIONS[report.standing]
  const shown = outputOf(report)
  const state = conclusion === undefined ? { status: 'queued' } : { status: 'completed', conclusion }
  return client.once(
    async () => {
      const route = 'GET /repos/{owner}/{repo}/commits/{ref}/check-runs'
      const runs = await client.list<Run>(route, { ref: commit, check_name: report.name })
      return runs.find(
        (run) =>
          run.name === report.name &&
          run.conclusion === (conclusion ?? null) &&
          run.output.title === shown.title &&
          run.output.summary === shown.summary,
      )
    },
    (post) =>
      post<Run>('POST /repos/{owner}/{repo}/check-runs', {
        name: report.name,
        head_sha: commit,
        external_id: commit,
        ...state,
        output: shown,
      }),
  )
}

/** In a fixed order and counted by the forge, so that after a crash it goes on where it stopped. */
async function addAnnotations(client: Client, run: Run, report: NamedReport): Promise<void> {
  const all = report.annotations.map(({ path, line, message }) => ({
    path,
    start_line: Math.max(1, line),
    end_line: Math.max(1, line),
    annotation_level: report.standing === 'fail' ? 'failure' : 'warning',
    message: shorten(message, 10_000) || 'no message',
  }))
  for (let at = run.output.annotations_count; at < all.length; at += ANNOTATIONS_A_CALL) {
    await client.once(
      async () => {
        const now = await client.get<Run>('GET /repos/{owner}/{repo}/check-runs/{check_run_id}', { check_run_id: run.id })
        return now.output.annotations_count > at ? now : undefined
      },
      (post) =>
        post<Run>('PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}', {
          check_run_id: run.id,
          output: { ...outputOf(report), annotations: all.slice(at, at + ANNOTATIONS_A_CALL) },
        }),
    )
  }
}

function outputOf({ title, text }: NamedReport): { title: string; summary: string } {
  return { title: shorten(title, 200) || 'valuetrain', summary: publishable(text).slice(0, 65_000) }
}
