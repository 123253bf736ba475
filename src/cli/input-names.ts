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

/** The order of paths. */
export function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
