// Renamings that are known by a name: the survey's features as others spell them (`--rename-map`).
import { UsageError } from '../../errors.ts'

/** OLD → NEW; several OLD may lead to one NEW. */
export type RenameMap = ReadonlyMap<string, string>

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

/** The maps that there are, by name. */
const renameMaps: ReadonlyMap<string, RenameMap> = new Map([['alerce-2024', alerce2024]])

/**
 * Names that no distance tells to be related: the library renamed `Period_fit` to `PPE` on 2020-09-23 (late_classifier
 * a12d35a), and records of features kept the old name until 2021-07-21.
 */
const relatedNames: ReadonlyMap<string, readonly string[]> = new Map([
  ['Period_fit', ['PPE', 'PPE_12']],
  ['PPE', ['Period_fit']],
])

/** Those of some columns that are known to have been this feature under another name. */
export function relatedColumns(feature: string, columns: readonly string[]): string[] {
  return (relatedNames.get(feature) ?? []).filter((name) => columns.includes(name))
}

/** A column that a map reads as a feature. */
interface MappedColumn {
  readonly column: string
  readonly map: string
}

/** Which of some columns a map reads as this feature, and which map. */
export function mappedColumn(feature: string, columns: readonly string[]): MappedColumn | undefined {
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
