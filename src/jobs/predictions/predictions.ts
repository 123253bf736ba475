// What a run of lcclf left behind, as one table: an object a row, a probability a column.
import type { Level } from '../../pipeline/batch.ts'

/** Results of one model, ready for questions. */
export interface Predictions {
  /** how messages call them */
  readonly address: string
  /** a table or view with `oid` (VARCHAR, each once) and the columns of `levels` (DOUBLE, no nulls) */
  readonly table: string
  readonly objects: number
  /** rows of objects that came again: the newest (largest candid, else the later row) counts */
  readonly duplicates: number
  readonly classifierVersion: string
  /** the product first, then the top, then the branches */
  readonly levels: readonly PredictedLevel[]
  /** null: the order of classes is known to be the model's; else what decided instead (long results tell no order) */
  readonly assumedOrder: string | null
}

/** A level without what only the wide layout has. */
export type NamedLevel = Omit<Level, 'prefix'>

/** One classifier and where its probabilities are. */
export type PredictedLevel = NamedLevel & {
  /** names of the table's columns, one a class */
  readonly columns: readonly string[]
}

/** How results are read, wherever they are. */
export interface PredictionOptions {
  /** name of the table to make */
  readonly table: string
  /** which classifier_version, where there are several */
  readonly classifierVersion?: string | undefined
}

/** what decides the order of classes where nobody knows it */
export const alphabet = 'the alphabet'

/** The name of a level's column. */
export function columnName(level: number, index: number): string {
  return `l${level}_${index}`
}

// What stands between results as they lie somewhere and the one table of predictions.

/** A selection of `oid` and the levels' columns (with `candid` and `place`, where an object may come twice), not yet checked. */
export interface Selection {
  readonly sql: string
  /** nothing is gained by a copy of what the selection gives */
  readonly isView: boolean
  readonly levels: readonly FoundLevel[]
  /** see Predictions */
  readonly assumedOrder: string | null
  /** already one row an object, and what came again; undefined where the rows themselves tell */
  readonly duplicates: number | undefined
  readonly classifierVersion: string
  /** what to do about objects without all their probabilities */
  readonly hint: string
}

// From names of columns or of classifiers to the levels of a hierarchy: results have nothing else to go by.

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

/**
 * A class that one level of a hierarchy has and another lacks: somebody left a column out. The leaf classes of the product
 * and of the branches are the same; levels that are absent as a whole say nothing.
 *
 * @param levels the product first
 * @returns the level that lacks it, the class, the level that has it, and its column in the wide layout
 */
export function missingClass(levels: readonly NamedLevel[]) {
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
