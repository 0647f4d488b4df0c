/** One line of a tree object. */
export interface TreeEntry {
  /** As git writes it: `40000` for a folder, `120000` for a link, `160000` for a submodule. */
  mode: string
  name: string
  id: string
  /** The entry as git stores it: mode, name and binary id. */
  bytes: Buffer
}

/**
 * Returns the entries of a tree object's content, in its order.
 *
 * @param idBytes length of an id: 20, or 32 in a repository of SHA-256
 * @see gitformat-pack(5): a tree is entries of mode, a blank, the name, a NUL and the id's bytes
 */
export function parseTree(content: Buffer, idBytes: number): TreeEntry[] {
  const entries: TreeEntry[] = []
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(0x20, at)
    const nul = content.indexOf(0, blank)
    const end = nul + 1 + idBytes
    const name = content.toString('utf8', blank + 1, nul)
    const [mode, id] = [content.toString('latin1', at, blank), content.toString('hex', nul + 1, end)]
    entries.push({ mode, name, id, bytes: content.subarray(at, end) })
    at = end
  }
  return entries
}
