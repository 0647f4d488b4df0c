import { type Config, readConfig } from '../../core/config.ts'
import type { Finding, GateSpec } from '../../core/contracts/gate.ts'
import type { FileReader, Method } from '../../core/contracts/method.ts'
import { ValuetrainError } from '../../core/errors.ts'
import { loadMethod } from '../../modes/index.ts'
import { approvalsOf } from '../approval.ts'
import { joinGates } from '../configured.ts'
import { byFindings, passed } from '../gate.ts'
import { requiredGates } from '../required.ts'
import { changedScripts, differs } from '../scripts.ts'
import { specDigest } from '../spec.ts'
import type { View } from '../view.ts'
import { weakened } from '../weakened.ts'
import { builtin } from './builtin.ts'

/**
 * The range is judged by the definitions it starts from; this gate tells what it does to those of later ranges. A gate
 * that asks less is an error unless a person approved it for this very work, any other change is a notice.
 */
export const definitions = builtin(
  {
    id: 'definitions',
    title: 'Gates are not weakened by what they judge',
    why: 'a change that lowers the bar and then passes under it has shown nothing',
    subject: 'range',
    cache: false,
  },
  {
    async judge(view) {
      const changed = new Set((await view.changes()).map(({ path }) => path))
      if (changed.size === 0) return passed('no definition is changed')
      const before = await read(view.from, view)
      if (before instanceof ValuetrainError) return passed('the range starts from definitions that cannot be read')
      const after = mayDefine(changed, before) ? await read(view.head, view) : before
      if (after instanceof ValuetrainError) {
        return byFindings([{ rule: 'definitions-broken', severity: 'error', message: after.message.slice(0, 300) }], '')
      }
      const scripts = await changedScripts(before.gates.values(), changed, view.from, view.head)
      const findings = [
        ...scripts.map(({ gate, script }) => weak(gate, `${script}, which it runs, is changed`)),
        ...(before === after ? [] : compareDefinitions(before, after)),
        ...(await changedExtensions(before, view)),
      ]
      const approval = approvalsOf(
        view.context.entries,
        'definitions',
        [await view.work()],
        [],
        view.context.config.forge !== 'local',
      )[0]
      const shown = approval ? findings.map((one): Finding => ({ ...one, severity: 'notice' })) : findings
      return byFindings(
        shown,
        approval ? `${approval.name} approved what the change does to the gates` : 'no gate asks less than before',
      )
    },
  },
)

async function changedExtensions({ config }: Definitions, { from, head }: View): Promise<Finding[]> {
  const paths = config.extensions.gates
  const isChanged = await Promise.all(paths.map((path) => differs(path, from, head)))
  return paths.filter((_, at) => isChanged[at]).map((path) => weak('extension', `${path}, which defines gates, is changed`))
}

interface Definitions {
  config: Config
  method: Method
  gates: ReadonlyMap<string, GateSpec>
}

/** Most changes touch no definition, and then there is nothing to compare but the scripts that gates run. */
function mayDefine(changed: ReadonlySet<string>, { config }: Definitions): boolean {
  const isDefinition = (path: string) => path.startsWith('.valuetrain/') && !/^\.valuetrain\/(?:tickets|issues)\//.test(path)
  return [...changed].some((path) => isDefinition(path) || config.extensions.modes.includes(path))
}

async function read(reader: FileReader, { builtins }: View): Promise<Definitions | ValuetrainError> {
  try {
    const { config } = await readConfig(reader)
    return { config, method: await loadMethod(reader, config), gates: joinGates(builtins, config) }
  } catch (error) {
    if (error instanceof ValuetrainError && error.kind !== 'internal') return error
    throw error
  }
}

function compareDefinitions(before: Definitions, after: Definitions): Finding[] {
  return [...compareGates(before, after), ...compareAsked(before, after), ...compareConfig(before.config, after.config)]
}

function compareGates(before: Definitions, after: Definitions): Finding[] {
  const findings = [...before.gates.values()].flatMap((gate): Finding[] => {
    const now = after.gates.get(gate.id)
    if (now === undefined) return [weak(gate.id, 'it is gone')]
    if (specDigest(now) === specDigest(gate)) return []
    const reasons = weakened(gate, now)
    return reasons.length > 0 ? reasons.map((reason) => weak(gate.id, reason)) : [changedNotice(`gate "${gate.id}" is changed`)]
  })
  const added = [...after.gates.keys()].filter((id) => !before.gates.has(id))
  return [...findings, ...added.map((id) => changedNotice(`gate "${id}" is new`))]
}

/** What each phase asks, as a whole: a gate can be weakened without a word of it changing, by no longer being asked. */
function compareAsked(before: Definitions, after: Definitions): Finding[] {
  const findings = new Map<string, Finding>()
  const note = (finding: Finding) => findings.set(finding.message, finding)
  for (const { id: pipeline, phases } of before.method.pipelines.values()) {
    for (const { name: phase } of phases) {
      const where = `${pipeline}/${phase}`
      const asked = requiredGates({ ...before, pipeline, phase })
      if (!after.method.pipelines.get(pipeline)?.phases.some(({ name }) => name === phase)) {
        note(weak(where, 'the phase is gone'))
        continue
      }
      const now = requiredGates({ ...after, pipeline, phase })
      const later = new Map(now.required.map((gate) => [gate.gate, gate]))
      for (const { gate, severity } of asked.required) {
        // A gate that is gone altogether is told once, not once a phase.
        if (!after.gates.has(gate) && before.gates.has(gate)) continue
        const one = later.get(gate)
        if (one === undefined) note(weak(gate, `${where} no longer asks it`))
        else if (severity === 'block' && one.severity === 'warn') note(weak(gate, `it only warns in ${where}`))
      }
      const specs = new Map(now.specs.map((spec) => [spec.id, spec]))
      for (const spec of asked.specs.filter(({ id }) => !before.gates.has(id))) {
        const other = specs.get(spec.id)
        if (other) for (const reason of weakened(spec, other)) note(weak(spec.id, reason))
      }
    }
  }
  return [...findings.values()]
}

function compareConfig(before: Config, after: Config): Finding[] {
  const freed = before.protected.filter((glob) => !after.protected.includes(glob))
  return [
    ...(freed.length > 0 ? [weak('protected-paths', `it no longer protects ${freed.join(', ')}`)] : []),
    ...(after.size.maxBytes > before.size.maxBytes ? [weak('size', `files may have ${after.size.maxBytes} bytes now`)] : []),
    ...(after.size.warnBytes > before.size.warnBytes ? [weak('lfs', `data may have ${after.size.warnBytes} bytes now`)] : []),
    ...(before.commits.conventional && !after.commits.conventional ? [weak('commit-message', 'messages need no type now')] : []),
    ...(JSON.stringify(before.workspace) === JSON.stringify(after.workspace)
      ? []
      : [changedNotice('the preparation of checkouts is changed')]),
  ]
}

function weak(gate: string, reason: string): Finding {
  return { rule: 'gate-weakened', severity: 'error', message: `${gate}: ${reason}` }
}

function changedNotice(message: string): Finding {
  return { rule: 'gate-changed', severity: 'notice', message }
}
