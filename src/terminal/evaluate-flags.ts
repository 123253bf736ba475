// Flags of `lcclf evaluate` that are more than text.
import { UsageError } from '../errors.ts'

/** `--rename-class OLD=NEW`. The last `=` divides: no class of a taxonomy has one, a label of somebody else's may. */
export function classRename(text: string): { from: string; to: string } {
  const at = text.lastIndexOf('=')
  if (at <= 0 || at === text.length - 1) throw new UsageError(`--rename-class ${text}: expected OLD=NEW`)
  return { from: text.slice(0, at), to: text.slice(at + 1) }
}
