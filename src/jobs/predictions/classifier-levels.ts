// From names of columns or of classifiers to the levels of a hierarchy; the results are all there is to go by.
import type { Level } from '../../pipeline/batch.ts'

/** A level without what only the wide layout has. */
export type NamedLevel = Omit<Level, 'prefix'>

/** A level and, for each class, the key under which its probability was found. */
export interface FoundLevel extends NamedLevel {
  readonly keys: readonly number[]
}

/** one classifier_name prefix for every model (manifest: classifierName) */
const productName = 'lc_classifier'
const topName = 'top'

/** What an object's row has beside its probabilities. */
const otherColumns = new Set(['oid', 'candid', 'class', 'probability', 'classifier_version'])

/** The levels of the wide layout: `AGN`, …, `top/Periodic`, …, `stochastic/AGN`, …; keys are places in `names`. */
export function wideLevels(names: readonly string[]): FoundLevel[] {
  const tops = names.filter((name) => name.startsWith(`${topName}/`)).map((name) => name.slice(topName.length + 1))
  const prefixes = [topName, ...tops.map((branch) => branch.toLowerCase())]
  const found: [classifier: string, className: string, key: number][] = []
  names.forEach((name, key) => {
    if (otherColumns.has(name)) return
    const prefix = tops.length > 0 ? prefixes.find((text) => name.startsWith(`${text}/`)) : undefined
    if (prefix === undefined) found.push([productName, name, key])
    else found.push([`${productName}_${prefix}`, name.slice(prefix.length + 1), key])
  })
  return levelsOf(found)
}

/** The levels of the nested layout, whose paths begin with `lc_classification`. */
export function nestedLevels(paths: readonly (readonly string[])[]): FoundLevel[] {
  const found: [string, string, number][] = []
  paths.forEach(([root, kind, way, branch, className], key) => {
    if (root !== 'lc_classification') return
    if (kind === 'probabilities') found.push([productName, way!, key])
    if (kind === 'hierarchical' && way === topName) found.push([`${productName}_${topName}`, branch!, key])
    if (kind === 'hierarchical' && way === 'children')
      found.push([`${productName}_${branch!.toLowerCase()}`, className!, key])
  })
  return levelsOf(found)
}

/**
 * Levels of classifiers and classes, in the order found: the product is the classifier that has none of its classes in
 * its name, the top the one called `…_top`, and a branch is the class of the top whose name in lower case is its own.
 */
export function levelsOf(
  found: readonly (readonly [classifier: string, className: string, key: number])[],
): FoundLevel[] {
  const byName = new Map<string, { classes: string[]; keys: number[] }>()
  for (const [classifier, className, key] of found) {
    const level = byName.get(classifier) ?? { classes: [], keys: [] }
    level.classes.push(className)
    level.keys.push(key)
    byName.set(classifier, level)
  }
  const product = [...byName.keys()].sort((a, b) => a.length - b.length)[0]
  if (product === undefined) return []
  const top = byName.get(`${product}_${topName}`)
  const branchOf = (name: string): string | null =>
    top?.classes.find((branch) => name === `${product}_${branch.toLowerCase()}`) ?? null
  const rank = (name: string): number => (name === product ? 0 : name === `${product}_${topName}` ? 1 : 2)
  return [...byName]
    .filter(([name]) => rank(name) < 2 || branchOf(name) !== null)
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([classifierName, level]) => ({ classifierName, branch: branchOf(classifierName), ...level }))
}

// A class that one level of a hierarchy has and another lacks: somebody left a column out.

/** What is absent. */
interface MissingClass {
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
