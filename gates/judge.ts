import { timestamp } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import type { GateResult, GateSpec } from '../core/contracts/gate.ts'
import type { Method } from '../core/contracts/method.ts'
import { ValuetrainError } from '../core/errors.ts'
import { waiverOf } from './approval.ts'
import { BUILTINS, SPECS } from './builtin/list.ts'
import { joinGates } from './configured.ts'
import { holds } from './decide.ts'
import { judgeExtension } from './extension.ts'
import { type Answer, inconclusive, type JudgeContext, notApplicable } from './gate.ts'
import { findReusable, gateKey, inputsOf, isScoped, touchesScope } from './key.ts'
import { judgeArtifact } from './kinds/artifact.ts'
import { judgeCommand, presentable, toolchainOf } from './kinds/command.ts'
import { judgeHuman } from './kinds/human.ts'
import { judgeKofn } from './kinds/kofn.ts'
import { judgeMetric } from './kinds/metric.ts'
import { specDigest } from './spec.ts'
import { standingsOf } from './standings.ts'
import { openView, type View } from './view.ts'

/** Returns every gate there is for a configuration, by id. @throws VT_GATE_TWICE when two have one id */
export function resolveGates({
  config,
  extensionGates,
}: {
  config: Config
  method?: Method
  extensionGates?: readonly GateSpec[]
}): ReadonlyMap<string, GateSpec> {
  return joinGates(SPECS, config, extensionGates)
}

/**
 * Returns one gate's result on what the context describes. A gate that could not be judged is inconclusive, with the
 * reason; only an aborted signal throws. A fail that a person overrode for this very work is waived.
 *
 * Runs programs of the tree for `command` gates, in the context's checkout; writes nothing else.
 */
export async function judgeGate(spec: GateSpec, context: JudgeContext): Promise<GateResult> {
  return judgeInView(spec, openView(context, SPECS), context.results)
}

/**
 * Returns the results of gates, judged one after another: what a gate needs, and what a k-of-n gate counts, comes
 * before it; otherwise the order is kept. A gate whose needs do not hold is not run and says which.
 *
 * @param onResult  is told each result as it is there, and awaited, so that it can be written down first
 */
export async function judgeGates(
  specs: readonly GateSpec[],
  context: JudgeContext,
  onResult: (result: GateResult) => void | Promise<void> = () => {},
): Promise<GateResult[]> {
  const view = openView(context, SPECS)
  const results: GateResult[] = []
  for (const spec of inOrder(specs)) {
    context.signal?.throwIfAborted()
    const missing = await unmetNeeds(spec, [...context.results, ...results], view)
    const result =
      missing.length === 0
        ? await judgeInView(spec, view, [...context.results, ...results])
        : await resultOf(spec, view, inconclusive(`not run, since ${missing.join(' and ')} did not pass`), '')
    results.push(result)
    await onResult(result)
  }
  return results
}

/** Returns gates so that each comes after those it needs or counts. @throws VT_GATE_LOOP when they need one another */
export function inOrder(specs: readonly GateSpec[]): GateSpec[] {
  const byId = new Map(specs.map((spec) => [spec.id, spec]))
  const done = new Set<string>()
  const ordered: GateSpec[] = []
  const place = (spec: GateSpec, way: readonly string[]) => {
    if (done.has(spec.id)) return
    if (way.includes(spec.id)) {
      throw new ValuetrainError('VT_GATE_LOOP', `gates need one another: ${[...way, spec.id].join(' > ')}`, {
        kind: 'config',
        hint: 'break the loop in `needs` or in what a k-of-n gate counts',
      })
    }
    for (const id of dependenciesOf(spec)) {
      const other = byId.get(id)
      if (other) place(other, [...way, spec.id])
    }
    done.add(spec.id)
    ordered.push(spec)
  }
  for (const spec of specs) place(spec, [])
  return ordered
}

async function judgeInView(spec: GateSpec, view: View, results: readonly GateResult[]): Promise<GateResult> {
  const { context } = view
  const builtin = spec.kind.type === 'builtin' ? builtinNamed(spec.kind.name) : undefined
  let key = ''
  let toolchain = ''
  let answer: Answer
  try {
    toolchain = await toolchainOf(spec, context)
    key = gateKey(spec, toolchain, await inputsOf(spec, view, builtin))
    const earlier = findReusable(spec, key, results)
    if (earlier) return waive(spec, view, repeat(earlier, spec, context))
    answer = await look(spec, view, results)
  } catch (error) {
    context.signal?.throwIfAborted()
    answer = inconclusive(`could not be judged: ${describe(error, context)}`)
  }
  return waive(spec, view, await resultOf(spec, view, answer, key, toolchain))
}

async function look(spec: GateSpec, view: View, results: readonly GateResult[]): Promise<Answer> {
  const { kind } = spec
  // Evidence has to be there whatever the change touched; only what looks at changes can have nothing to look at.
  if (isScoped(spec) && kind.type !== 'artifact' && !(await touchesScope(spec, view))) {
    return notApplicable('the change touches nothing in the gate’s scope')
  }
  switch (kind.type) {
    case 'command':
      return judgeCommand(spec, kind, view.context)
    case 'builtin': {
      const builtin = builtinNamed(kind.name)
      const own = builtin ? undefined : view.context.judges?.get(spec.id)
      if (own) return judgeExtension(own, kind.options, view)
      return builtin
        ? builtin.judge(view, kind.options, results)
        : inconclusive(`there is no built-in gate "${kind.name}" in this version`)
    }
    case 'artifact':
      return judgeArtifact(kind, view)
    case 'metric':
      return judgeMetric(kind, view)
    case 'human':
      return judgeHuman(spec.id, kind, view)
    case 'external':
      return inconclusive(`the check "${kind.check}" is reported by a forge, and none is connected here`)
    case 'kofn':
      return judgeKofn(kind, await standingsOf(kind.of, results, view))
  }
}

async function unmetNeeds(spec: GateSpec, results: readonly GateResult[], view: View): Promise<string[]> {
  // A need that is not asked in this round counts by its latest result; one that was never judged is unmet.
  const standings = await standingsOf(spec.needs, results, view)
  return spec.needs.filter((gate) => !holds(standings.get(gate) ?? 'missing'))
}

async function resultOf(spec: GateSpec, view: View, answer: Answer, key: string, toolchain = ''): Promise<GateResult> {
  const { ids, clock } = view.context
  const digest = await view.subject(spec.subject)
  return {
    id: ids.ulid(),
    gate: spec.id,
    spec: specDigest(spec),
    verdict: answer.verdict,
    key: key === '' ? gateKey(spec, toolchain, { subject: digest, unjudged: true }) : key,
    subject: { kind: spec.subject, digest },
    severity: spec.severity,
    reasons: answer.reasons,
    findings: answer.findings ?? [],
    evidence: { ...answer.evidence, ...(toolchain === '' ? {} : { toolchain }) },
    at: timestamp(clock),
  }
}

function repeat(earlier: GateResult, spec: GateSpec, { ids, clock }: JudgeContext): GateResult {
  return {
    ...earlier,
    id: ids.ulid(),
    severity: spec.severity,
    reusedFrom: earlier.reusedFrom ?? earlier.id,
    at: timestamp(clock),
  }
}

async function waive(spec: GateSpec, view: View, result: GateResult): Promise<GateResult> {
  if (result.verdict !== 'fail' && result.verdict !== 'inconclusive') return result
  const { entries, clock } = view.context
  const waiver = waiverOf(entries, spec.id, [await view.work()], spec.waiver, clock.now())
  if (waiver === undefined) return result
  const told = `waived by ${waiver.name} until ${waiver.expires}: ${waiver.reason}`
  return { ...result, verdict: 'waived', reasons: [told, ...result.reasons], expires: waiver.expires }
}

function dependenciesOf(spec: GateSpec): readonly string[] {
  return spec.kind.type === 'kofn' ? [...spec.needs, ...spec.kind.of] : spec.needs
}

function builtinNamed(name: string) {
  return BUILTINS.find(({ spec }) => spec.id === name)
}

function describe(error: unknown, { repository }: JudgeContext): string {
  const message = error instanceof Error ? error.message : String(error)
  return presentable(message, [...(repository.root ? [repository.root] : []), repository.commonDir]).slice(0, 500)
}
