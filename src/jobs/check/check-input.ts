// `lcclf check` of one input: opened whatever it lacks, read once, compared with the model's profile.
import { DataError, UsageError } from '../../errors.ts'
import type { InputProfile } from '../../model/bundle/input-profile.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { comparedFeatures, compareInputs } from '../../model/profile/compare-inputs.ts'
import { createIdTally, type IdCounts, mostIdRows } from '../../model/profile/id-tally.ts'
import { createInputTally, type FeatureCounts, type InputTally } from '../../model/profile/input-tally.ts'
import { ColumnError, idFlag, likelyIdColumn, likelyNames } from '../../connectors/columns/match-columns.ts'
import { openSource } from '../../connectors/open-connector.ts'
import { type ReadOptions, readOptions, type RowAllowance, type Source } from '../../pipeline/source.ts'
import type { CheckFlags } from '../../terminal/flags.ts'
import type { Input } from '../../connectors/inputs.ts'
import { mappedColumn, namedAtAnotherTime } from '../../connectors/columns/settle-names.ts'

/** How inputs are read, and what they are compared with. */
interface CheckRequest extends Pick<
  CheckFlags,
  'idColumn' | 'candidColumn' | 'renameMap' | 'where' | 'delimiter' | 'decimal'
> {
  readonly manifest: Pick<Manifest, 'features' | 'preprocessing'>
  readonly profile: InputProfile | undefined
  readonly renames: ReadonlyMap<string, string>
  /** of renameMap, which is its name */
  readonly renameMapPairs: ReadonlyMap<string, string> | undefined
  readonly allowance: RowAllowance
}

export interface CheckedInput {
  readonly address: string
  readonly read: number
  readonly rejected: number
  readonly features: readonly FeatureCounts[]
  readonly findings: readonly CheckFinding[]
}

const batchSize = 1000

/** Never throws for what an input holds: that is its findings. */
export async function checkInput(input: Input, request: CheckRequest): Promise<CheckedInput> {
  const { address } = input.spec
  const { source, features, findings } = await openWhatCanBe(input, request)
  if (!source) return { address, read: 0, rejected: 0, features: [], findings }
  try {
    const seen = await readRows(source, features, request)
    return { address, ...seen, findings: [...findings, ...seen.findings] }
  } finally {
    await source.close()
  }
}

/** Leaves out columns of other types and tries again, so that everything is said at once; answers the features it reads. */
async function openWhatCanBe({ spec }: Input, request: CheckRequest) {
  const { manifest, renameMap } = request
  const wrong: CheckFinding[] = []
  const leftOut = new Set<string>()
  let { idColumn, candidColumn } = request
  let isWithoutCandid = false
  for (;;) {
    let heard: { names: readonly string[]; renames: ReadonlyMap<string, string> } | undefined
    let features: readonly string[] = manifest.features
    const onNames: NonNullable<ReadOptions['onNames']> = (names, renames) => {
      heard = { names, renames }
      features = presentFeatures({ names, renames, features: manifest.features }).filter((name) => !leftOut.has(name))
      return features
    }
    const named = (): CheckFinding[] => [
      ...(heard ? columnFindings({ ...heard, features: manifest.features, ...idsOf(request) }, renameMap) : []),
      ...wrong,
    ]
    try {
      const source = await openSource(
        spec,
        checkOptions({ ...request, idColumn, candidColumn }, onNames, isWithoutCandid),
      )
      return { source, features, findings: named() }
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      const lacking = heard ? lackingIds({ ...heard, ...idsOf(request) }) : []
      // with what the ids may be called here, the rest is looked at too
      const likely = lacking.find(
        ({ column, name }) => column !== undefined && (name === idColumn || name === candidColumn),
      )
      if (likely && spec.kind !== 'stdin') {
        if (likely.kind === 'oid') idColumn = likely.column!
        else candidColumn = likely.column!
        continue
      }
      const column = error instanceof ColumnError ? (heard?.renames.get(error.column) ?? error.column) : undefined
      if (error instanceof ColumnError) wrong.push(typeFinding(error, column!))
      const isFeature = column !== undefined && features.includes(column) && !leftOut.has(column)
      const isCandid = column === candidColumn && !isWithoutCandid
      if ((isFeature || isCandid) && spec.kind !== 'stdin') {
        if (isCandid) isWithoutCandid = true
        else leftOut.add(column)
        continue
      }
      if (column === undefined && lacking.length === 0)
        wrong.push(finding('failed', 'input', error.message, error.hint))
      wrong.push(finding('skipped', 'values', 'not looked at, because rows cannot be read'))
      return { source: undefined, features, findings: named() }
    }
  }
}

function checkOptions(
  request: CheckRequest,
  onNames: NonNullable<ReadOptions['onNames']>,
  isWithoutCandid: boolean,
): ReadOptions {
  const { manifest, idColumn, candidColumn, renames, renameMapPairs, where, allowance, delimiter, decimal } = request
  const own = [...renames].find(([, to]) => to === candidColumn)?.[0] ?? candidColumn
  return readOptions({
    ...{ features: manifest.features, preprocessing: manifest.preprocessing, batchSize, idColumn, where, allowance },
    // a candid that cannot be read is renamed out of the way
    candidColumn: isWithoutCandid ? 'candid' : candidColumn,
    tellsAll: true,
    rename: isWithoutCandid ? new Map([...renames, [own, '(not read)']]) : renames,
    renameMap: renameMapPairs,
    ...{ delimiter, decimal },
    onNames,
  })
}

async function readRows(
  source: Source,
  features: readonly string[],
  { manifest, profile }: CheckRequest,
): Promise<Omit<CheckedInput, 'address'>> {
  const { missing } = manifest.preprocessing
  const tally = createInputTally({ features, missing, profile, countsSizes: true })
  const ids = createIdTally()
  const reasons = new Map<string, { count: number; example: string }>()
  const findings: CheckFinding[] = []
  let read = 0
  let rejected = 0
  try {
    for await (const delivery of source.deliveries(new AbortController().signal)) {
      const { batch } = delivery
      read += delivery.read
      rejected += delivery.rejected.length
      tally.add(batch.matrix, batch.rowCount)
      ids.add(batch.oids, batch.candids)
      for (const { reason, where, value, others = [] } of delivery.rejected) {
        for (const one of [{ reason, value }, ...others]) {
          const known = reasons.get(one.reason)
          if (known) known.count++
          else
            reasons.set(one.reason, { count: 1, example: one.value === undefined ? where : `${where}: ${one.value}` })
        }
      }
    }
  } catch (error) {
    if (!(error instanceof DataError) && !(error instanceof UsageError)) throw error
    findings.push(finding('failed', 'input', error.message, error.hint))
  }
  findings.push(...rowFindings(reasons, { read, rejected }), ...idFindings(ids.counts()))
  findings.push(...valueFindings(tally, profile))
  for (const note of source.notes?.() ?? []) findings.push(finding('ok', 'input', note))
  return { read, rejected, features: tally.counts(), findings }
}

function valueFindings(tally: InputTally, profile: InputProfile | undefined): CheckFinding[] {
  const counts = tally.counts()
  if (tally.rows === 0 || counts.length === 0) return []
  const all = tally.rows.toLocaleString('en')
  if (!profile) {
    const empty = counts.filter(({ missing }) => missing === tally.rows)
    const what = `not compared: the model has no profile (lcclf model import --profile makes one). ${all} rows were looked at for features that are null everywhere`
    return [
      ...empty.map(({ name }) => finding('warning', 'values', `null in all ${all} rows`, undefined, name)),
      finding('skipped', 'values', what),
    ]
  }
  const odd = compareInputs(counts, tally.rows, profile)
  const isOdd = new Set(odd.map(({ feature }) => feature))
  const usual = comparedFeatures(counts, tally.rows, profile).filter((name) => !isOdd.has(name)).length
  const unseen = counts.length - isOdd.size - usual
  const rows = profile.rows.toLocaleString('en')
  const origin = profile.source === 'file' ? `${rows} rows of ${profile.name}` : `${rows} golden rows only`
  return [
    ...odd.map(({ feature, message }) => finding('warning', 'values', message, undefined, feature)),
    ...(usual > 0
      ? [
          finding(
            'ok',
            'values',
            `${usual} of ${counts.length} features are as usual (profile: ${origin}), in ${all} rows`,
          ),
        ]
      : []),
    ...(unseen > 0
      ? [
          finding(
            'skipped',
            'values',
            `${unseen} of ${counts.length} features have too few values in ${all} rows to be compared`,
          ),
        ]
      : []),
  ]
}

// What `lcclf check` reports: findings about columns, ids and rows of one input.

/** One finding. `failed`: classify would not run, or classify nothing; `skipped`: not looked at, and why. */
export interface CheckFinding {
  readonly severity: 'ok' | 'skipped' | 'warning' | 'failed'
  readonly what: 'input' | 'columns' | 'types' | 'ids' | 'rows' | 'values'
  /** the column as the model calls it; null where it is about all of the input */
  readonly column: string | null
  readonly message: string
  readonly hint: string | null
}

type ColumnNames = Pick<ReadOptions, 'features' | 'idColumn' | 'candidColumn'> & {
  /** the input's own */
  readonly names: readonly string[]
  readonly renames: ReadonlyMap<string, string>
}

/** The features that an input has under the names it is read with. */
function presentFeatures({ names, renames, features }: Pick<ColumnNames, 'names' | 'renames' | 'features'>): string[] {
  const readAs = readNames(names, renames)
  return features.filter((name) => readAs.has(name))
}

/** The names under which columns are read. */
function readNames(names: readonly string[], renames: ReadonlyMap<string, string>): ReadonlySet<string> {
  return new Set(names.map((name) => renames.get(name) ?? name))
}

/** Which features are missing, and what they may be called in this input. */
function columnFindings(columns: ColumnNames, renameMap: string | undefined): CheckFinding[] {
  const { names, renames, features, idColumn, candidColumn } = columns
  const present = new Set(presentFeatures(columns))
  const missing = features.filter((name) => !present.has(name))
  const used = new Set([...features, idColumn, candidColumn, 'features'])
  const candidates = names.filter((name) => !used.has(name) && !renames.has(name))
  const found = [...idColumnFindings(columns, candidates), ...missing.map((name) => missingFinding(name, candidates))]
  const renamed = [...renames].filter(([from, to]) => present.has(to) && names.includes(from)).length
  if (renamed > 0) {
    const by = renameMap === undefined ? '--rename' : `--rename-map ${renameMap}`
    found.push(finding('ok', 'columns', `${renamed} columns are read under the model's names (${by})`))
  }
  const others = candidates.length === 0 ? '' : `; ${candidates.length} other columns are not used`
  if (missing.length === 0) found.push(finding('ok', 'columns', `all ${features.length} features are present${others}`))
  return found
}

type IdNames = Pick<ColumnNames, 'names' | 'renames' | 'idColumn' | 'candidColumn'>

function idsOf({ idColumn, candidColumn }: Pick<CheckRequest, 'idColumn' | 'candidColumn'>) {
  return { idColumn, candidColumn }
}

/** Columns of ids that must be there and are not, and what they may be called here. Candids must be if their column was named. */
function lackingIds({ names, renames, idColumn, candidColumn }: IdNames) {
  const readAs = readNames(names, renames)
  const needed = [
    { kind: 'oid' as const, name: idColumn },
    ...(candidColumn === 'candid' ? [] : [{ kind: 'candid' as const, name: candidColumn }]),
  ]
  const others = names.filter((name) => !renames.has(name))
  return needed
    .filter(({ name }) => !readAs.has(name))
    .map(({ kind, name }) => ({ kind, name, column: likelyIdColumn(kind, name, others) }))
}

function idColumnFindings(columns: IdNames, candidates: readonly string[]): CheckFinding[] {
  const found = lackingIds(columns).map(({ kind, name, column }) => {
    const what = kind === 'oid' ? 'object ids' : "alerts' ids"
    if (column !== undefined)
      return finding('failed', 'columns', `is missing; ${column} may be it`, idFlag(kind, column), name)
    return finding(
      'failed',
      'columns',
      'is missing',
      `Name the column of ${what} with --${kind === 'oid' ? 'id' : 'candid'}-column.`,
      name,
    )
  })
  const { names, renames, candidColumn } = columns
  const candid = readNames(names, renames).has('candid') ? undefined : likelyIdColumn('candid', 'candid', candidates)
  if (candidColumn !== 'candid' || candid === undefined) return found
  return [
    ...found,
    finding(
      'ok',
      'columns',
      `is not there, and files need none; ${candid} may be it`,
      idFlag('candid', candid),
      'candid',
    ),
  ]
}

function missingFinding(name: string, candidates: readonly string[]): CheckFinding {
  const mapped = mappedColumn(name, candidates)
  if (mapped) {
    const message = `is missing; here it is called ${mapped.column}`
    return finding('failed', 'columns', message, `--rename-map ${mapped.map}`, name)
  }
  const other = namedAtAnotherTime(name, candidates)
  if (other !== undefined) {
    const message = `is missing; ${other} was its name at another time, but the survey never read one as the other: classes would differ from the survey's`
    return finding('failed', 'columns', message, undefined, name)
  }
  const near = likelyNames(name, candidates)
  if (near.length === 0)
    return finding('failed', 'columns', 'is missing, and nothing has a similar name', undefined, name)
  const message = `is missing; nearest: ${near.join(', ')}`
  return finding('failed', 'columns', message, `--rename '${near[0]!}=${name}'`, name)
}

/** Ids are the same problem in every file that pandas wrote. */
function hintOfReject(reason: string): string | undefined {
  const [, column] = /^(oid|candid) (?:is a float|is not an int64)/.exec(reason) ?? []
  return column === undefined ? undefined : exportAgain(column)
}

/** A column of a type that cannot be read. `column`: as the model calls it. */
function typeFinding(error: ColumnError, column: string): CheckFinding {
  const message = error.message.slice(error.message.lastIndexOf(`${error.column} `) + error.column.length + 1)
  return finding('failed', 'types', message, error.hint, column)
}

/** Ids that come twice, and ids that went through a float. */
export function idFindings(counts: IdCounts): CheckFinding[] {
  const { repeated, rows, areCandidsRounded, floatOids, floatExample } = counts
  const found: CheckFinding[] = []
  if (floatOids > 0 && floatExample !== null) {
    const number = Number(floatExample)
    const loss = Number.isSafeInteger(number) ? `that is not the id ${number}` : 'their last digits are lost'
    const message = `${floatOids.toLocaleString('en')} are written as floats, such as ${floatExample}: ${loss}`
    found.push(finding('warning', 'ids', message, exportAgain('oid'), 'oid'))
  }
  if (repeated > 0) found.push(repeatedFinding(counts))
  else if (rows > 0) found.push(finding('ok', 'ids', `${rowsLookedAt(rows)}, no repeated oid`))
  if (areCandidsRounded) {
    const message = 'every candid fits a float64: they went through a float and lost their last digits'
    found.push(finding('warning', 'ids', message, exportAgain('candid'), 'candid'))
  }
  return found
}

function exportAgain(column: string): string {
  return `Export the ids again as int64 or text (in pandas, read them with dtype={'${column}': 'Int64'}).`
}

function rowsLookedAt(rows: number): string {
  return `${rows >= mostIdRows ? 'the first ' : ''}${rows.toLocaleString('en')} rows`
}

/** If digits were lost, rows of one oid may belong to several objects, and none of them should be dropped. */
function repeatedFinding({ repeated, identical, example, rows, floatOids }: IdCounts): CheckFinding {
  const same = identical > 0 ? `, ${identical.toLocaleString('en')} with the same candid or none` : ''
  const share = `${repeated.toLocaleString('en')} of ${rowsLookedAt(rows)}`
  const message = `${share} repeat an oid, such as ${example}${same}`
  if (floatOids > 0) return finding('warning', 'ids', message)
  return finding('warning', 'ids', message, 'Use --duplicates newest to classify only the newest row of each object.')
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

/** A finding about all of an input, or about one column. */
export function finding(
  severity: CheckFinding['severity'],
  what: CheckFinding['what'],
  message: string,
  hint?: string,
  column?: string,
): CheckFinding {
  return { severity, what, column: column ?? null, message, hint: hint ?? null }
}
