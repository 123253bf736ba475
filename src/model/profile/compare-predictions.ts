// Predicted classes against those of a profile: shares that moved tenfold, or one class that takes nearly all.
import type { InputProfile } from '../bundle/input-profile.ts'
import { percent } from './compare-inputs.ts'

/** Predictions of one classifier. */
export interface ClassCounts {
  readonly classifierName: string
  readonly classes: readonly string[]
  /** rows by class, in the same order */
  readonly rows: ArrayLike<number>
}

/** A class whose share is odd. */
export interface ClassFinding {
  readonly classifierName: string
  readonly className: string
  /** the sentence after the class's name */
  readonly message: string
}

const tenfold = 10
/** fewer objects than these are a coincidence */
const fewestObjects = 20
const nearlyAll = 0.95

/**
 * What is odd about the shares of classes. Golden inputs are often so many of each class, whatever the sky does: against
 * them counts only a class that takes nearly all.
 */
export function compareClasses(counts: ClassCounts, profile: InputProfile): readonly ClassFinding[] {
  const usual = profile.predictions.find(({ classifierName }) => classifierName === counts.classifierName)
  const total = sum(counts.rows)
  const usualTotal = usual ? sum(usual.classes.map(({ rows }) => rows)) : 0
  if (!usual || usualTotal === 0 || total === 0) return []
  return counts.classes.flatMap((className, c): ClassFinding[] => {
    const rows = counts.rows[c]!
    const usualRows = usual.classes.find(({ name }) => name === className)?.rows ?? 0
    const share = rows / total
    // a class that was not seen may still be there
    const most = (usualRows + 1) / usualTotal
    const isMore = share >= tenfold * most && rows >= fewestObjects
    const isLess = share * tenfold <= usualRows / usualTotal && (total * usualRows) / usualTotal >= fewestObjects
    const isAll = share >= nearlyAll && usualRows / usualTotal <= 0.5 && total >= fewestObjects
    if (!isAll && (profile.source === 'golden' || (!isMore && !isLess))) return []
    const message = `${percent(share)} of the objects; usual are ${percent(usualRows / usualTotal)}`
    return [{ classifierName: counts.classifierName, className, message }]
  })
}

function sum(counts: ArrayLike<number>): number {
  let total = 0
  for (let i = 0; i < counts.length; i++) total += counts[i]!
  return total
}
