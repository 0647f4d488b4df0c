/** File in `dist/` that says which sources it was built from. */
export const STAMP: string
/** Folders whose TypeScript is compiled and whose other files are copied beside it. */
export const FOLDERS: readonly string[]
export function assets(root: string): Promise<string[]>
export function sourceDigest(root: string): Promise<string>
