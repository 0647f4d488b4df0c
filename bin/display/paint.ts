/** Text with meaning attached; without colours each function returns the text as it is. */
export interface Paint {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  bad(text: string): string
  warn(text: string): string
  name(text: string): string
}

/** Returns the painter for an output with or without colours. */
export function paintFor(context: { color: boolean }): Paint {
  const style = (open: number, close: number) => (text: string) =>
    context.color && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    good: style(32, 39),
    bad: style(31, 39),
    warn: style(33, 39),
    name: style(36, 39),
  }
}
