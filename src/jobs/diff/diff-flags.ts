// Flags of `lcclf diff` that are more than text.
import type { DiffReport } from './diff-report.ts'
import { UsageError } from '../../errors.ts'

/** `--fail-if-changed`: a number of objects, or a percentage of the objects that both sides have. */
export type ChangeBound = { readonly text: string } & ({ readonly objects: number } | { readonly percent: number })

/** `--fail-if-changed 100` or `--fail-if-changed 2%`. */
export function changeBound(text: string): ChangeBound {
  const found = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const value = Number(found?.[1])
  if (!found || (found[2] === '' && !Number.isInteger(value)) || (found[2] === '%' && value > 100)) {
    throw new UsageError(
      `--fail-if-changed ${text}: expected a percentage or a number of objects, for example 2% or 100`,
    )
  }
  return found[2] === '%' ? { text, percent: value } : { text, objects: value }
}

/** Whether more changed than the bound allows; as much is allowed. */
export function isExceeded(bound: ChangeBound, { changed, common }: Pick<DiffReport, 'changed' | 'common'>): boolean {
  return 'objects' in bound ? changed > bound.objects : 100 * changed > bound.percent * common
}
