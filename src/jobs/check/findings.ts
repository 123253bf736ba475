// What `lcclf check` has to say: findings about columns, ids and rows of one input.
import type { ColumnError } from '../../connectors/columns/column-error.ts'
import { likelyNames } from '../../connectors/columns/nearest-names.ts'
import { mappedColumn } from '../../connectors/columns/rename-maps.ts'
import type { IdCounts } from '../../model/profile/id-tally.ts'

/** One finding. `failed`: classify would not run, or classify nothing. */
export interface CheckFinding {
  readonly severity: 'ok' | 'warning' | 'failed'
  readonly what: 'input' | 'columns' | 'types' | 'ids' | 'rows' | 'values'
  /** the column as the model calls it; null where it is about all of the input */
  readonly column: string | null
  readonly message: string
  readonly hint: string | null
}

/** An input's names against those that are needed. */
interface ColumnNames {
  /** the input's own */
  readonly names: readonly string[]
  readonly renames: ReadonlyMap<string, string>
  readonly features: readonly string[]
  readonly idColumn: string
  readonly candidColumn: string
}

/** The features that an input has under the names it is read with. */
export function presentFeatures({
  names,
  renames,
  features,
}: Pick<ColumnNames, 'names' | 'renames' | 'features'>): string[] {
  const readAs = new Set([...names.filter((name) => !renames.has(name)), ...names.map((name) => renames.get(name))])
  return features.filter((name) => readAs.has(name))
}

/** Which features are missing, and what they may be called in this input. */
export function columnFindings(columns: ColumnNames, renameMap: string | undefined): CheckFinding[] {
  const { names, renames, features, idColumn, candidColumn } = columns
  const present = new Set(presentFeatures(columns))
  const missing = features.filter((name) => !present.has(name))
  const used = new Set([...features, idColumn, candidColumn, 'features'])
  const candidates = names.filter((name) => !used.has(name) && !renames.has(name))
  const found = missing.map((name) => missingFinding(name, candidates))
  const renamed = [...renames].filter(([from, to]) => present.has(to) && names.includes(from)).length
  if (renamed > 0) {
    const by = renameMap === undefined ? '--rename' : `--rename-map ${renameMap}`
    found.push(finding('ok', 'columns', `${renamed} columns are read under the model's names (${by})`))
  }
  const others = candidates.length === 0 ? '' : `; ${candidates.length} other columns are not used`
  if (missing.length === 0) found.push(finding('ok', 'columns', `all ${features.length} features are there${others}`))
  return found
}

function missingFinding(name: string, candidates: readonly string[]): CheckFinding {
  const mapped = mappedColumn(name, candidates)
  if (mapped) {
    const message = `is missing; here it is called ${mapped.column}`
    return { ...finding('failed', 'columns', message, `--rename-map ${mapped.map}`), column: name }
  }
  const near = likelyNames(name, candidates)
  if (near.length === 0)
    return { ...finding('failed', 'columns', 'is missing, and nothing is called alike'), column: name }
  const message = `is missing; nearest: ${near.join(', ')}`
  return { ...finding('failed', 'columns', message, `--rename '${near[0]!}=${name}'`), column: name }
}

/** Ids are the same trouble in every file that pandas wrote. */
function hintOfReject(reason: string): string | undefined {
  const [, column] = /^(oid|candid) (?:is a float|is not an int64)/.exec(reason) ?? []
  return column === undefined ? undefined : exportAgain(column)
}

/** A column of a type that cannot be read. `column`: as the model calls it. */
export function typeFinding(error: ColumnError, column: string): CheckFinding {
  const message = error.message.slice(error.message.lastIndexOf(`${error.column} `) + error.column.length + 1)
  return { ...finding('failed', 'types', message, error.hint), column }
}

/** Ids that come twice, and ids that went through a float. */
export function idFindings(counts: IdCounts): CheckFinding[] {
  const { repeated, rows, areCandidsRounded, floatOids, floatExample } = counts
  const found: CheckFinding[] = []
  if (floatOids > 0 && floatExample !== null) {
    const number = Number(floatExample)
    const loss = Number.isSafeInteger(number) ? `that is not the id ${number}` : 'their last digits are lost'
    const message = `${floatOids.toLocaleString('en')} are written as floats, such as ${floatExample}: ${loss}`
    found.push({ ...finding('warning', 'ids', message, exportAgain('oid')), column: 'oid' })
  }
  if (repeated > 0) found.push(repeatedFinding(counts))
  else if (rows > 0) found.push(finding('ok', 'ids', `${rows.toLocaleString('en')} rows, no oid twice`))
  if (areCandidsRounded) {
    const message =
      'every candid is one that a float64 can hold: they went through a float, and their last digits are lost'
    found.push({ ...finding('warning', 'ids', message, exportAgain('candid')), column: 'candid' })
  }
  return found
}

function exportAgain(column: string): string {
  return `Export the ids again as int64 or text (in pandas, read them with dtype={'${column}': 'Int64'}).`
}

/** Where digits were lost, rows of one oid may be of several objects, and none of them should be dropped. */
function repeatedFinding({ repeated, identical, example, rows, floatOids }: IdCounts): CheckFinding {
  const same = identical > 0 ? `, ${identical.toLocaleString('en')} with the same candid or none` : ''
  const share = `${repeated.toLocaleString('en')} of ${rows.toLocaleString('en')} rows`
  const message = `${share} repeat an oid, such as ${example}${same}`
  if (floatOids > 0) return finding('warning', 'ids', message)
  return finding('warning', 'ids', message, '--duplicates newest classifies the newest row of each object')
}

/** What became of rows that cannot be classified, the most frequent reasons first. */
export function rowFindings(
  reasons: ReadonlyMap<string, { readonly count: number; readonly example: string }>,
  { read, rejected }: { readonly read: number; readonly rejected: number },
): CheckFinding[] {
  if (read === 0) return [finding('warning', 'rows', 'there are no rows')]
  const severity = rejected === read ? 'failed' : 'warning'
  return [...reasons]
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([reason, { count, example }]) =>
      finding(
        severity,
        'rows',
        `${count.toLocaleString('en')} of ${read.toLocaleString('en')} would be rejected: ${reason} (${example})`,
        hintOfReject(reason),
      ),
    )
}

/** A finding about all of an input. */
export function finding(
  severity: CheckFinding['severity'],
  what: CheckFinding['what'],
  message: string,
  hint?: string,
): CheckFinding {
  return { severity, what, column: null, message, hint: hint ?? null }
}
