import { ValuetrainError } from '../core/errors.ts'
import { type Ambient, type HookProcess, openAmbient } from './ambient.ts'

/** What one hook does, whether its no ends the act, and how long it may take. */
interface Hook {
  /** Milliseconds for everything; a hook that is not done by then says so. */
  budgetMs: number
  blocks: boolean
  run(ambient: Ambient, args: readonly string[]): Promise<number>
}

/** Each loads only what it needs: what is not asked for would be most of the time a commit waits. */
const commit = () => import('./commit.ts')
const after = () => import('./after.ts')

const HOOKS: Readonly<Record<string, Hook>> = {
  'pre-commit': { budgetMs: 30_000, blocks: true, run: async (ambient) => (await commit()).preCommit(ambient, 'pre-commit') },
  'pre-merge-commit': {
    budgetMs: 30_000,
    blocks: true,
    run: async (ambient) => (await commit()).preCommit(ambient, 'pre-merge-commit'),
  },
  'commit-msg': { budgetMs: 10_000, blocks: true, run: async (...given) => (await commit()).commitMessage(...given) },
  'pre-push': { budgetMs: 120_000, blocks: true, run: async (...given) => (await import('./push.ts')).prePush(...given) },
  'post-commit': { budgetMs: 10_000, blocks: false, run: async (ambient) => (await after()).postCommit(ambient) },
  'post-merge': { budgetMs: 10_000, blocks: false, run: async (ambient) => (await after()).postMerge(ambient) },
  'post-rewrite': { budgetMs: 30_000, blocks: false, run: async (...given) => (await after()).postRewrite(...given) },
}

/** Milliseconds a hook gets after its git calls should have ended. */
const GRACE_MS = 2_000

/**
 * Runs one hook and returns its exit code; a hook that comes after the act never fails it. Never throws.
 *
 * @param exit ends the process at once; called when the hook takes longer than it may
 */
export async function runHook(
  [name = '', ...args]: readonly string[],
  host: HookProcess,
  exit: (code: number) => void,
): Promise<number> {
  const hook = HOOKS[name]
  if (hook === undefined) {
    host.say(`valuetrain: there is no hook "${name.slice(0, 40)}"; git calls hooks by itself\n`)
    return 2
  }
  const watch = setTimeout(() => {
    host.say(`valuetrain: ${name} was not done within ${hook.budgetMs / 1000} s\n`)
    exit(hook.blocks ? 1 : 0)
  }, hook.budgetMs + GRACE_MS)
  try {
    return await hook.run(await openAmbient(host, hook.budgetMs), args)
  } catch (error) {
    const known = error instanceof ValuetrainError
    host.say(`valuetrain: ${name}: ${known ? error.message : String((error as Error)?.stack ?? error)}\n`)
    if (known && error.hint) host.say(`valuetrain: ${error.hint}\n`)
    return hook.blocks ? 1 : 0
  } finally {
    clearTimeout(watch)
  }
}
