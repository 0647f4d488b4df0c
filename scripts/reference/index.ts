import { commandPages } from './commands.ts'
import { configPages } from './config.ts'
import { errorPages } from './errors.ts'
import { gatePages } from './gates.ts'
import { machinePages } from './machine.ts'
import { modePages } from './modes.ts'
import type { Page } from './page.ts'

/** Every generated page. */
export const PAGES: readonly Page[] = [
  ...configPages,
  ...commandPages,
  ...modePages,
  ...gatePages,
  ...errorPages,
  ...machinePages,
]
