import { MODES, type ModeId } from '../core/contracts/names.ts'

/** Where a mode may lead besides to itself. */
export interface Edges {
  readonly forward: readonly ModeId[]
  readonly back: readonly ModeId[]
}

/** The methodology's edges. Any other is refused; staying in a mode is a hold, which is always allowed and recorded. */
export const EDGES: Readonly<Record<ModeId, Edges>> = {
  intake: { forward: ['discover', 'scope'], back: [] },
  discover: { forward: ['scope'], back: ['intake'] },
  scope: { forward: ['design'], back: ['discover', 'intake'] },
  design: { forward: ['build'], back: ['scope'] },
  build: { forward: ['evaluate'], back: ['design'] },
  evaluate: { forward: ['deliver', 'improve'], back: ['build', 'design'] },
  deliver: { forward: ['operate'], back: ['build'] },
  operate: { forward: ['improve'], back: ['evaluate', 'deliver'] },
  improve: { forward: ['operate', 'intake'], back: ['build', 'evaluate'] },
}

/** Tells whether a ticket may go from one mode to another. Staying is a hold and always allowed. */
export function mayMove(from: ModeId, to: ModeId): boolean {
  return from === to || EDGES[from].forward.includes(to) || EDGES[from].back.includes(to)
}

/** Returns the modes one may go to from a mode, itself first, then in the methodology's order. */
export function movesFrom(from: ModeId): ModeId[] {
  return [from, ...MODES.filter((to) => to !== from && mayMove(from, to))]
}
