import type { Plugin } from 'esbuild'

export function bundleHook(root: string, entry: string, outfile: string): Promise<string[] | undefined>
export function withoutUnusedYaml(): Plugin
