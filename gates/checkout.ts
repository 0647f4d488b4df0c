import { cp, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { digestOf } from '../core/canonical.ts'
import type { Config } from '../core/config.ts'
import { ValuetrainError } from '../core/errors.ts'
import { resolveInside } from '../core/files.ts'
import { runProcess } from '../core/process.ts'
import type { Repository } from '../core/repository.ts'
import { worktreeRoot } from '../core/repository.ts'
import { readerAt } from '../core/tree.ts'
import { openDisposable } from '../core/worktree.ts'
import { environmentOf, presentable } from './kinds/command.ts'

/** A prepared checkout that nobody was given and that may be thrown away. */
export interface Checkout {
  dir: string
  /** Makes tracked and other files that git does not ignore as they are in the commit again. */
  clean(): Promise<void>
  close(): Promise<void>
}
