// What a run of lcclf left behind, as one table: an object a row, a probability a column.
import { isPostgresAddress } from '../../connectors/postgres/address.ts'
import { shownText } from '../../formats/shown-text.ts'
import { calibratedPrefix, type Level, marginPrefix } from '../../pipeline/batch.ts'

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
  /** calibrated probabilities of the product, where the results have them */
  readonly calibrated: PredictedLevel | null
  /** null: the order of classes is known to be the model's; else what decided instead (long results tell no order) */
  readonly assumedOrder: string | null
  /** an object whose probabilities do not sum to 1: its model is such a one, or classes were left out */
  readonly oddSum?: { readonly oid: string; readonly sum: number } | undefined
}

/** A level without what only the wide layout has. */
export type NamedLevel = Omit<Level, 'prefix'>

/** One classifier and where its probabilities are. */
export type PredictedLevel = NamedLevel & {
  /** names of the table's columns, one a class */
  readonly columns: readonly string[]
}

export interface PredictionOptions {
  /** name of the table to make */
  readonly table: string
  /** which classifier_version, where there are several */
  readonly classifierVersion?: string | undefined
}

/** what decides the order of classes where nobody knows it */
export const alphabet = 'the alphabet'

/** What to do where nothing has the same id, and a side may have numbers for names; empty if none may. */
export function numberedIdsHint(...addresses: readonly string[]): string {
  return addresses.some(isPostgresAddress)
    ? 'The survey’s tables of today give their integers as ZTF names; ?names=integers gives them as they are stored.'
    : ''
}

export function columnName(level: number, index: number): string {
  return `l${level}_${index}`
}

/** A selection of `oid` and the levels' columns (with `candid` and `place`, where an object may come twice), not yet checked. */
export interface Selection extends Pick<Predictions, 'classifierVersion' | 'assumedOrder'> {
  readonly sql: string
  /** nothing is gained by a copy of what the selection gives */
  readonly isView: boolean
  readonly levels: readonly FoundLevel[]
  readonly calibrated: FoundLevel | null
  /** already one row an object, and what came again; undefined where the rows themselves tell */
  readonly duplicates: number | undefined
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

/** ends the classifier_name of calibrated probabilities, and begins the names of their columns */
const calibratedName = `_${calibratedPrefix}`

/** What an object's row has beside its probabilities. */
const otherColumns = new Set(['oid', 'candid', 'class', 'probability', 'classifier_version'])

/**
 * The levels of the wide layout (`AGN`, …, `top/Periodic`, …, `stochastic/AGN`, …), or of the nested one, whose paths begin
 * with `lc_classification`; keys are places in `paths`.
 */
export function levelsOfColumns(paths: readonly (readonly string[])[]): FoundLevel[] {
  const tops = paths.flatMap(([name, inner]) =>
    inner === undefined && name!.startsWith(`${topName}/`) ? [name!.slice(topName.length + 1)] : [],
  )
  const prefixes = tops.length > 0 ? [topName, ...tops.map((branch) => branch.toLowerCase())] : []
  const names = new Set(paths.map(([name]) => name!))
  const isNested = paths.some(([root]) => root === 'lc_classification')
  return levelsOf(
    paths.flatMap((path, key) => {
      const found = isNested ? nestedName(path) : wideName(path, prefixes, names)
      if (!found) return []
      const [prefix, className] = found
      return [[prefix === '' ? productName : `${productName}_${prefix}`, className, key] as const]
    }),
  )
}

type LevelName = readonly [prefix: string, className: string] | undefined

function wideName(
  [name, inner]: readonly string[],
  prefixes: readonly string[],
  names: ReadonlySet<string>,
): LevelName {
  if (inner !== undefined || otherColumns.has(name!)) return undefined
  const prefix = prefixes.find((text) => name!.startsWith(`${text}/`))
  if (prefix !== undefined) return [prefix, name!.slice(prefix.length + 1)]
  return isExtra(name!, names) ? undefined : ['', name!]
}

/** Margins, calibrated probabilities, sets and novelty: none of them is a probability of the model. */
function isExtra(name: string, names: ReadonlySet<string>): boolean {
  const isOfClass = (prefix: string): boolean =>
    name.startsWith(`${prefix}/`) && names.has(name.slice(prefix.length + 1))
  const hasCalibrated = [...names].some((one) => one.startsWith(`${calibratedPrefix}/`))
  return (
    isOfClass(marginPrefix) ||
    isOfClass(calibratedPrefix) ||
    (name === `${calibratedPrefix}_class` && hasCalibrated) ||
    // a list is no column to some readers
    name === 'set_size' ||
    // unless it is a class, which a level has too
    (name === 'novelty' && ![...names].some((one) => one.endsWith('/novelty'))) ||
    (name === 'set' && names.has('set_size'))
  )
}

/** Calibrated probabilities among the columns of the wide or the nested layout, for the classes that the product has. */
export function calibratedOfColumns(
  paths: readonly (readonly string[])[],
  product: FoundLevel | undefined,
): FoundLevel | null {
  const isNested = paths.some(([root]) => root === 'lc_classification')
  const nameOf = (name: string): string =>
    (isNested ? ['lc_classification', calibratedPrefix, name] : [`${calibratedPrefix}/${name}`]).join('\u0000')
  const keyOf = new Map(paths.map((path, key) => [path.join('\u0000'), key]))
  const keys = product?.classes.map((name) => keyOf.get(nameOf(name))) ?? []
  if (!product || keys.length === 0 || keys.includes(undefined)) return null
  const { classes, classifierName } = product
  return { classifierName: `${classifierName}${calibratedName}`, branch: null, classes, keys: keys as number[] }
}

/** The same among the classifiers of the long layout. */
export function calibratedOf(
  found: readonly (readonly [classifier: string, className: string, key: number])[],
  product: FoundLevel | undefined,
): FoundLevel | null {
  const classifierName = `${product?.classifierName}${calibratedName}`
  const own = found.filter(([name]) => name === classifierName)
  const keys = product?.classes.map((name) => own.find(([, className]) => className === name)?.[2]) ?? []
  if (!product || keys.length === 0 || keys.includes(undefined)) return null
  return { classifierName, branch: null, classes: product.classes, keys: keys as number[] }
}

function nestedName([root, kind, way, branch, className]: readonly string[]): LevelName {
  if (root !== 'lc_classification') return undefined
  if (kind === 'probabilities') return ['', way!]
  if (kind !== 'hierarchical') return undefined
  return way === topName ? [topName, branch!] : way === 'children' ? [branch!.toLowerCase(), className!] : undefined
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
 * Says which class one level of a hierarchy has and another lacks: somebody left a column out. The leaf classes of the
 * product and of the branches are the same; levels that are absent as a whole say nothing.
 *
 * @param levels the product first
 */
export function missingClass(levels: readonly NamedLevel[]): string | undefined {
  const [product, ...others] = levels
  const branches = others.filter(({ branch }) => branch !== null)
  if (!product || branches.length === 0) return undefined
  const said = (who: string, name: string, other: string, column: string): string =>
    `${who} lacks the class ${shownText(name)}, which ${other} has (wide: the column ${shownText(column)})`
  for (const { classifierName, classes } of branches) {
    const name = classes.find((one) => !product.classes.includes(one))
    if (name !== undefined) return said(product.classifierName, name, classifierName, name)
  }
  const tops = others.find(({ branch }) => branch === null)?.classes ?? []
  const isWhole = tops.every((name) => branches.some(({ branch }) => branch === name))
  const name = product.classes.find((one) => !branches.some(({ classes }) => classes.includes(one)))
  if (name === undefined || !isWhole) return undefined
  const columns = branches.map(({ branch }) => `${branch!.toLowerCase()}/${name}`).join(' or ')
  return said('every branch', name, product.classifierName, columns)
}
