// A class that one level of a hierarchy has and another lacks: somebody left a column out.
import type { NamedLevel } from './classifier-levels.ts'

/** What is absent. */
export interface MissingClass {
  /** the level that lacks it */
  readonly classifierName: string
  readonly className: string
  /** the level that has it */
  readonly otherName: string
  /** its column in the wide layout */
  readonly column: string
}

/**
 * The leaf classes of the product and of the branches are the same; levels that are absent as a whole say nothing.
 *
 * @param levels the product first
 */
export function missingClass(levels: readonly NamedLevel[]): MissingClass | undefined {
  const [product, ...others] = levels
  const branches = others.filter(({ branch }) => branch !== null)
  if (!product || branches.length === 0) return undefined
  for (const { classifierName: otherName, classes } of branches) {
    const className = classes.find((name) => !product.classes.includes(name))
    if (className !== undefined)
      return { classifierName: product.classifierName, className, otherName, column: className }
  }
  const tops = others.find(({ branch }) => branch === null)?.classes ?? []
  const isWhole = tops.every((name) => branches.some(({ branch }) => branch === name))
  const className = product.classes.find((name) => !branches.some(({ classes }) => classes.includes(name)))
  if (className === undefined || !isWhole) return undefined
  const which = branches.map(({ branch }) => `${branch!.toLowerCase()}/${className}`).join(' or ')
  return { classifierName: 'every branch', className, otherName: product.classifierName, column: which }
}
