import { parseFrontMatter } from '../core/frontmatter.ts'
import { parseSegmentWith, type Segment } from './form.ts'

export {
  headerDigest,
  headOf,
  renderEntry,
  renderHeader,
  renderSegment,
  type Segment,
  segmentFile,
  segmentOfFile,
} from './form.ts'
export { SegmentClosing, SegmentHeader } from './header.ts'

/**
 * Returns the segment a text holds, whatever YAML its front matter is. What is wrong below the front matter becomes
 * findings; see `parseSegmentWith`.
 *
 * @param file named in errors and findings
 * @throws VT_SESSION_FRONT_MATTER when the front matter is missing, too large, not a mapping, not YAML, or not a session's
 */
export function parseSegment(text: string, file: string): Segment {
  return parseSegmentWith(text, file, (front, name) => parseFrontMatter(front, name).data)
}
