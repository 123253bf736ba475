// Boosters: trees whose leaves add up to margins, and how margins become probabilities.
import type { Checker } from './manifest.ts'

/** How trees add up. */
export interface Sum {
  /** names of the margins: the classes, or the second of two alone */
  readonly margins: readonly string[]
  /** index of the margin that each tree adds to, in tree order */
  readonly targets: readonly number[]
  /** where each margin begins */
  readonly base: readonly number[]
  /** of every addition; the leaves are of the same precision */
  readonly precision: 'float32' | 'float64'
  readonly link: Link
}

/** From margins to probabilities: each library has an arithmetic of its own. */
export type Link = { readonly kind: 'softmax' | 'sigmoid'; readonly library: 'scikit-learn' | 'xgboost' | 'lightgbm' }

export function readSum(check: Checker, value: unknown): Sum {
  const sum = check.record(value, 'sum')
  const link = check.record(sum['link'], 'link')
  const { precision } = sum
  if (precision !== 'float32' && precision !== 'float64') throw check.error('precision of a sum')
  return {
    margins: check.names(sum['margins'], 'margins'),
    targets: check.list(sum['targets'], 'targets').map((target) => check.count(target, 'target of a tree')),
    base: check.exactNumbers(sum['base'], 'base of a sum'),
    precision,
    link: link as unknown as Link,
  }
}

/**
 * Probabilities of margins.
 *
 * @param margins rowCount × margins, row-major; not changed
 * @returns rowCount × classes, row-major
 */
export function linkMargins(
  { margins: names, link }: Sum,
  margins: Float64Array,
  rowCount: number,
  classes: number,
): Float64Array<ArrayBuffer> {
  const width = names.length
  const answer = new Float64Array(rowCount * classes)
  for (let row = 0; row < rowCount; row++) {
    if (link.kind === 'sigmoid') {
      const p = 1 / (1 + Math.exp(-margins[row]!))
      answer.set([1 - p, p], row * classes)
      continue
    }
    const own = margins.subarray(row * width, (row + 1) * width)
    const most = Math.max(...own)
    const powers = own.map((margin) => Math.exp(margin - most))
    const sum = powers.reduce((before, power) => before + power, 0)
    for (let i = 0; i < classes; i++) answer[row * classes + i] = powers[i]! / sum
  }
  return answer
}
