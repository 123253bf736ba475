// The rules for names of inputs, the same for files and for objects.
import { inputFormatOf } from './address.ts'

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
export interface Search {
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
