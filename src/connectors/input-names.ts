// The rules for names of inputs, the same for files and for objects.
import { inputFormatOf } from './address.ts'
import type { InputFormat } from './files/file-formats.ts'
import type { SourceSpec } from './spec.ts'
import type { TimeWindow } from './kafka/spec.ts'

/** Names that begin with `_` or `.` (Spark's markers, our partial files) are not data, at any depth. */
export function isData(path: string): boolean {
  return (
    path.split('/').every((part) => !part.startsWith('_') && !part.startsWith('.')) && inputFormatOf(path) !== undefined
  )
}

/** The folder a glob starts from: the part before its first special character. */
export function staticRoot(pattern: string): string {
  const fixed: string[] = []
  for (const part of pattern.split('/').slice(0, -1)) {
    if (/[*?[\]{}()!+@]/.test(part)) break
    fixed.push(part)
  }
  return fixed.join('/') || (pattern.startsWith('/') ? '/' : '.')
}

/** Where a search for inputs begins, where results go, and what lies below what. */
interface Search {
  readonly root: string
  readonly outputs: readonly string[]
  readonly isBelow: (name: string, folder: string) => boolean
}

/**
 * The outputs that a folder or a pattern passes over, so that a second run does not eat the first: those below where the
 * search begins. An output that holds the inputs takes none of them away, and what is named itself is always read.
 */
export function outputsPassedOver({ root, outputs, isBelow }: Search): string[] {
  return outputs.filter((output) => isBelow(output, root))
}

/** What was found, without what lies in outputs that are passed over. */
export function withoutResults<T>(found: readonly T[], nameOf: (one: T) => string, search: Search): T[] {
  const passed = outputsPassedOver(search)
  return found.filter((one) => !passed.some((output) => search.isBelow(nameOf(one), output)))
}

/** The order of paths. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** One input and where its result goes in a folder output. */
export interface Input {
  readonly spec: SourceSpec
  /** path below the input root, without the suffix, with `/`; for stdin `stdin` */
  readonly relativeName: string
  /** the same with the suffix, by which whole files are put into shards */
  readonly relativePath: string
}

/** What decides about the inputs besides their names. */
export interface InputOptions {
  readonly fromFormat: InputFormat | undefined
  /** folders that receive results: never read as inputs, so that a second run does not eat the first */
  readonly outputFolders: readonly string[]
  /** where passwords and what a database's address leaves out are found */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** which messages of a topic */
  readonly window: TimeWindow
  /** whether the end of a topic's snapshot becomes its group's offsets */
  readonly commits: boolean
}
