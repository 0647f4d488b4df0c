/**
 * Sets a clone up for work on this project: its git hooks, in husky's folder, for every worktree.
 *
 *   npm run setup
 *
 * No `prepare` script does this: it would run in continuous integration, in a folder without git, and where the package is
 * installed from git, and husky's own step names a folder that linked worktrees do not have.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import husky from 'husky'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
process.chdir(ROOT)

if (!existsSync(join(ROOT, '.git'))) {
  console.log('no git repository here, so no hooks')
} else {
  const [own, common] = spawnSync('git', ['rev-parse', '--git-dir', '--git-common-dir'], { encoding: 'utf8' }).stdout.split('\n')
  if (resolve(own) !== resolve(common)) {
    console.error(
      `error: this is a linked worktree\nhint: run \`npm run setup\` in ${resolve(common, '..')}; its hooks are those of every worktree`,
    )
    process.exitCode = 3
  } else {
    const problem = husky()
    if (problem !== '') console.error(problem)
    const { status } = spawnSync(process.execPath, ['bin/valuetrain.js', 'hooks', 'install', '--mode', 'husky'], {
      stdio: 'inherit',
    })
    process.exitCode = status ?? 1
  }
}
