// What is read of an input once its names are known: renames of a map that hold for it, and the features it is asked for.
import type { ReadOptions } from '../../pipeline/source.ts'
import { UsageError } from '../../errors.ts'
import { alerce2025, type RenameMap } from './alerce-2025.ts'

/**
 * The options with which an input is read. Called by each source once, as soon as it knows its names.
 *
 * An entry OLD → NEW of the rename map holds where the input has OLD and not NEW, NEW is needed, OLD is not, and no
 * `--rename` touches either; of several OLD the first in the map.
 */
export function settleNames(options: ReadOptions, names: readonly string[]): ReadOptions {
  const { renameMap, onNames } = options
  const rename = renameMap ? withMap(options, renameMap, names) : options.rename
  const settled = { ...options, rename, renameMap: undefined }
  return onNames ? { ...settled, features: onNames(names, rename) } : settled
}

function withMap(
  { rename, features, idColumn, candidColumn }: ReadOptions,
  map: ReadonlyMap<string, string>,
  names: readonly string[],
): ReadonlyMap<string, string> {
  const present = new Set(names)
  const needed = new Set([...features, idColumn, candidColumn])
  const taken = new Set(rename.values())
  const all = new Map(rename)
  for (const [from, to] of map) {
    if (!present.has(from) || present.has(to) || !needed.has(to) || needed.has(from)) continue
    if (rename.has(from) || rename.has(to) || taken.has(to)) continue
    taken.add(to)
    all.set(from, to)
  }
  return all
}

/**
 * Names that may stand for a feature besides its own, where an input's names are not known before its rows: by name the
 * place of the feature. A name that is needed itself, or that a rename touches, stands for nothing else.
 */
export function furtherNames(options: Pick<ReadOptions, 'features' | 'rename' | 'renameMap'>): Map<string, number> {
  const { features, rename, renameMap = new Map() } = options
  const found = new Map<string, number>()
  const targets = new Set(rename.values())
  for (const [from, to] of renameMap) {
    const place = features.indexOf(to)
    if (place === -1 || features.includes(from) || rename.has(from) || rename.has(to) || targets.has(to)) continue
    found.set(from, place)
  }
  return found
}

export type RecordKeys = ReturnType<typeof recordKeys>

/**
 * Under which keys a record has what is needed: a key OLD is read as NEW; a key that already was NEW is shadowed.
 */
export function recordKeys({ idColumn, candidColumn, mjdColumn, features, rename }: ReadOptions) {
  const old = new Map([...rename].map(([from, to]) => [to, from]))
  /** undefined where a rename took the name away and gave it to no other */
  const keyOf = (name: string): string | undefined => old.get(name) ?? (rename.has(name) ? undefined : name)
  const mjd = mjdColumn === undefined ? undefined : keyOf(mjdColumn)
  return { oid: keyOf(idColumn), candid: keyOf(candidColumn), mjd, features: features.map(keyOf) }
}

// Renamings that are known by a name: the survey's features as others spell them (`--rename-map`).

/**
 * The survey's record of features since 2024: first `/` became `_` (feature_step 4380ea5a0, 2024-04-12), then `-`, then the
 * features of two bands got `_12` (features_record_ztf of alercebroker/pipeline). Spellings alone: `PPE` is not read as
 * the `Period_fit` that it was called before, because the original step never did, and results would be others.
 */
const alerce2024: RenameMap = new Map([
  ...bothBands('Multiband_period', 'PPE', 'Power_rate_2', 'Power_rate_3', 'Power_rate_4'),
  ...respelled('Power_rate_1/2', 'Power_rate_1/3', 'Power_rate_1/4'),
  ...respelled('W1-W2', 'W2-W3', 'g-W2', 'g-W3', 'r-W2', 'r-W3'),
  ...respelled('g-r_max', 'g-r_max_corr', 'g-r_mean', 'g-r_mean_corr'),
])

const renameMaps: ReadonlyMap<string, RenameMap> = new Map([
  ['alerce-2024', alerce2024],
  ['alerce-2025', alerce2025],
])

/**
 * The library renamed `Period_fit` to `PPE` on 2020-09-23 (late_classifier a12d35a), and records of features kept the old
 * name until 2021-07-21. The step never read one as the other: a model gets null for the name that it does not find.
 */
const laterNames: ReadonlyMap<string, readonly string[]> = new Map([
  ['Period_fit', ['PPE', 'PPE_12']],
  ['PPE', ['Period_fit']],
])

/** Which of some columns was this feature at another time, though the survey never read it as this one. */
export function namedAtAnotherTime(feature: string, columns: readonly string[]): string | undefined {
  return laterNames.get(feature)?.find((name) => columns.includes(name))
}

/** Which of some columns a map reads as this feature, and which map. */
export function mappedColumn(feature: string, columns: readonly string[]) {
  for (const [map, pairs] of renameMaps) {
    const column = columns.find((one) => pairs.get(one) === feature)
    if (column !== undefined) return { column, map }
  }
  return undefined
}

/** @throws UsageError for a name that no map has */
export function renameMapNamed(name: string): RenameMap {
  const map = renameMaps.get(name)
  if (map) return map
  throw new UsageError(`--rename-map ${name}: not known`, { hint: `Known are: ${[...renameMaps.keys()].join(', ')}.` })
}

function bothBands(...names: readonly string[]): [string, string][] {
  return names.map((name) => [`${name}_12`, name])
}

function respelled(...names: readonly string[]): [string, string][] {
  return names.flatMap((name): [string, string][] => {
    const plain = name.replace(/[/-]/g, '_')
    return [[plain, name], ...bothBands(name), [`${plain}_12`, name]]
  })
}
