import { commandPages } from './commands.ts'
import { configPages } from './config.ts'
import { errorPages } from './errors.ts'
import type { Page } from './page.ts'

/** Every generated page. */
export const PAGES: readonly Page[] = [...configPages, ...commandPages, ...errorPages]
