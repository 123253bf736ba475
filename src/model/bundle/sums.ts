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
