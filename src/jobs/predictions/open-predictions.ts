// Results that lcclf wrote, in whatever format and layout, or into a database → their table of predictions.
import { DataError, UsageError } from '../../errors.ts'
import type { PostgresResultsSpec } from '../../connectors/postgres/settings.ts'
import { sqlName, sqlText } from '../../connectors/files/duckdb.ts'
import { shownText } from '../../formats/shown-text.ts'
import {
  alphabet,
  calibratedOf,
  calibratedOfColumns,
  columnName,
  type FoundLevel,
  levelsOf,
  levelsOfColumns,
  missingClass,
  type PredictedLevel,
  type PredictionOptions,
  type Predictions,
  type Selection,
} from './predictions.ts'
import { type FilesSpec, openRelations, type Relation, type RelationColumn } from './relation.ts'
import type { Session } from './session.ts'

const longColumns = ['classifier_name', 'class_name', 'probability']
const hint =
  'Give what lcclf classify wrote with all of its columns (without --columns and --top), in its wide, long or nested layout.'

/**
 * Opens results as a table.
 *
 * @throws DataError for what is no result, has several classifier versions, misses a class of an object, or holds what is
 *   no probability; ServiceError for a database that cannot be reached
 */
export async function openPredictions(
  session: Session,
  spec: FilesSpec | PostgresResultsSpec,
  options: PredictionOptions,
): Promise<Predictions> {
  const { address } = spec
  const { table } = options
  const selection = await selectionOf(session, spec, options)
  const { sql, isView, hint, classifierVersion, assumedOrder } = selection
  const missing = missingClass(selection.levels)
  if (missing !== undefined) throw new DataError(`${address}: ${missing}`, { hint })
  const kind = isView ? 'TEMP VIEW' : 'TEMP TABLE'
  await session.rows(`CREATE OR REPLACE ${kind} ${sqlName(table)} AS ${sql}`, address)
  const objects = await session.count(`SELECT count(DISTINCT oid) FROM ${sqlName(table)}`, address)
  const rows = await session.count(`SELECT count(*) FROM ${sqlName(table)}`, address)
  const placed = ({ classifierName, branch, classes }: FoundLevel, level: number): PredictedLevel => {
    return { classifierName, branch, classes, columns: classes.map((_, index) => columnName(level, index)) }
  }
  const levels = selection.levels.map(placed)
  const calibrated = selection.calibrated && placed(selection.calibrated, levels.length)
  const columns = [...levels, ...(calibrated ? [calibrated] : [])].flatMap((level) => level.columns)
  await refuseBadValues(session, { table, columns, address, hint })
  const duplicates = selection.duplicates ?? rows - objects
  const oddSum =
    spec.kind === 'files' ? await firstOddSum(session, { table, address, columns: levels[0]!.columns }) : undefined
  const found = { address, table, objects, duplicates, classifierVersion, levels, calibrated, assumedOrder }
  const predictions = { ...found, oddSum }
  if (rows === objects) return predictions
  // one row an object: the largest candid, else the later row
  const newest = `${table}_newest`
  await session.rows(
    `CREATE OR REPLACE TEMP TABLE ${sqlName(newest)} AS SELECT * FROM ${sqlName(table)}
     QUALIFY row_number() OVER (PARTITION BY oid ORDER BY candid DESC NULLS LAST, place DESC) = 1`,
    address,
  )
  return { ...predictions, table: newest }
}

async function selectionOf(
  session: Session,
  spec: FilesSpec | PostgresResultsSpec,
  options: PredictionOptions,
): Promise<Selection> {
  if (spec.kind === 'postgres') {
    const { selectStored } = await import('./stored-predictions.ts')
    return selectStored(session, spec, options)
  }
  const relation = await openRelations(session, spec, `${options.table}_rows`)
  const names = relation.columns.map(({ path }) => path.join('.'))
  refusePart(relation.address, new Set(names))
  if (longColumns.every((name) => names.includes(name))) return selectLong(session, relation, options)
  // Parquet is read again by every question, which takes less memory than a copy; text would be parsed again each time
  return { ...(await selectByObject(session, relation, options)), isView: spec.files[0].format === 'parquet' }
}

async function selectByObject(session: Session, relation: Relation, options: PredictionOptions): Promise<Selection> {
  const { address, columns } = relation
  const paths = columns.map(({ path }) => path)
  const levels = levelsOfColumns(paths)
  const calibrated = calibratedOfColumns(paths, levels[0])
  const oid = columnOf(columns, 'oid')
  const versionColumn = columnOf(columns, 'classifier_version')
  const lacking = !oid ? 'oid' : !versionColumn ? 'classifier_version' : undefined
  if (!oid || !versionColumn || levels.length === 0) {
    const what = lacking === undefined ? 'probabilities of classes' : `the column ${lacking}`
    throw new DataError(`${address} holds no predictions: it lacks ${what}`, { hint })
  }
  const version = await onlyVersion(session, relation, versionColumn, options)
  const candid = columnOf(columns, 'candid')
  const values = [...levels, ...(calibrated ? [calibrated] : [])].flatMap((level, l) =>
    level.keys.map((key, i) => `CAST(${columns[key]!.sql} AS DOUBLE) AS ${columnName(l, i)}`),
  )
  const sql = `SELECT CAST(${oid.sql} AS VARCHAR) AS oid, ${candid ? `CAST(${candid.sql} AS BIGINT)` : 'NULL::BIGINT'} AS candid,
    row_number() OVER () AS place, ${values.join(', ')}
    FROM ${relation.sql} WHERE CAST(${versionColumn.sql} AS VARCHAR) = ${sqlText(version)}`
  const found = { levels, calibrated, assumedOrder: null, duplicates: undefined, classifierVersion: version }
  return { ...found, sql, isView: false, hint }
}

async function selectLong(session: Session, relation: Relation, options: PredictionOptions): Promise<Selection> {
  const { address, columns } = relation
  const need = (name: string): string => {
    const column = columnOf(columns, name)
    if (!column) throw new DataError(`${address} has no column ${name}`, { hint })
    return column.sql
  }
  const [oid, classifier, className] = [need('oid'), need('classifier_name'), need('class_name')].map(
    (sql) => `CAST(${sql} AS VARCHAR)`,
  )
  const version = await onlyVersion(session, relation, { path: [], sql: need('classifier_version') }, options)
  const ofVersion = `${relation.sql} WHERE CAST(${need('classifier_version')} AS VARCHAR) = ${sqlText(version)}`
  const pairs = await session.rows(
    `SELECT DISTINCT ${classifier}, ${className} FROM ${ofVersion} ORDER BY 1, 2`,
    address,
  )
  const named = pairs.map(([name, one], key) => [String(name), String(one), key] as const)
  const levels = levelsOf(named)
  const calibrated = calibratedOf(named, levels[0])
  const all = [...levels, ...(calibrated ? [calibrated] : [])]
  if (levels.length === 0) throw new DataError(`${address} holds no predictions`, { hint })
  const width = all.reduce((sum, { classes }) => sum + classes.length, 0)
  const [rows, objects] = (await session.rows(`SELECT count(*), count(DISTINCT ${oid}) FROM ${ofVersion}`, address))[0]!
  const duplicateRows = Number(rows) - Number(objects) * pairs.length
  // where no object comes twice any aggregate will do, and max takes a third of the memory
  const pick = duplicateRows > 0 ? 'arg_max(p, place)' : 'max(p)'
  // 33 comparisons of a number with each row, not of two texts
  const codes = all.flatMap(({ classifierName, classes }, l) =>
    classes.map((name, i) => ({ key: [classifierName, name].map(sqlText).join(', '), column: columnName(l, i) })),
  )
  const values = codes.map(({ column }, code) => `${pick} FILTER (code = ${code}) AS ${column}`)
  const sql = `SELECT oid, ${values.join(', ')} FROM (
      SELECT ${oid} AS oid, ${classifier} AS classifier, ${className} AS class_name,
        CAST(${need('probability')} AS DOUBLE) AS p, row_number() OVER () AS place FROM ${ofVersion})
    JOIN (VALUES ${codes.map(({ key }, code) => `(${key}, ${code})`).join(', ')}) known(classifier, class_name, code)
    USING (classifier, class_name) GROUP BY oid`
  const duplicates = Math.max(0, Math.round(duplicateRows / Math.max(1, width)))
  const found = { levels, calibrated, assumedOrder: alphabet, duplicates, classifierVersion: version }
  return { ...found, sql, isView: false, hint }
}

function columnOf(columns: readonly RelationColumn[], name: string): RelationColumn | undefined {
  return columns.find(({ path }) => path.length === 1 && path[0] === name)
}

async function onlyVersion(
  session: Session,
  { address, sql }: Relation,
  column: RelationColumn,
  { classifierVersion: wanted }: PredictionOptions,
): Promise<string> {
  const rows = await session.rows(`SELECT DISTINCT CAST(${column.sql} AS VARCHAR) FROM ${sql} LIMIT 100`, address)
  const versions = rows.map(([version]) => String(version)).sort()
  if (wanted !== undefined && versions.includes(wanted)) return wanted
  const list = versions.map(shownText).join(', ')
  if (wanted !== undefined)
    throw new UsageError(`${address} has no classifier_version ${wanted}`, { hint: `It has ${list}.` })
  if (versions.length === 1) return versions[0]!
  if (versions.length === 0) throw new DataError(`${address} has no rows`)
  throw new DataError(`${address} holds the results of several models: ${list}`, {
    hint: `Choose one, for example '${address}?classifier_version=${shownText(versions[0]!)}'.`,
  })
}

/** Says that there is only a part of the results, where the names of columns tell it. */
function refusePart(address: string, names: ReadonlySet<string>): void {
  if (names.has('class_1') && names.has('probability_1')) {
    throw new DataError(`${address} has only the most probable classes of each object (--top), not all`, { hint })
  }
  const lacking = longColumns.find((name) => !names.has(name))
  if (lacking === undefined || names.has('class')) return
  if (!['classifier_name', 'class_name', 'ranking'].some((name) => names.has(name))) return
  throw new DataError(`${address} lacks the column ${lacking} of the long layout`, { hint })
}

/** of probabilities that models round to float32 */
const tolerance = 1e-3

async function firstOddSum(
  session: Session,
  { table, address, columns }: { table: string; address: string; columns: readonly string[] },
): Promise<Predictions['oddSum']> {
  const sum = columns.join(' + ')
  const query = `SELECT oid, ${sum} FROM ${sqlName(table)} WHERE abs(${sum} - 1) > ${tolerance} LIMIT 1`
  const [first] = await session.rows(query, address)
  return first && { oid: String(first[0]), sum: Number(first[1]) }
}

async function refuseBadValues(
  session: Session,
  { table, columns, address, hint }: { table: string; columns: readonly string[]; address: string; hint: string },
): Promise<void> {
  // a sum of rounded fractions may be a little above 1; NaN is above everything
  const isBad = columns.map((name) => `coalesce(${name} NOT BETWEEN 0 AND 1 + 1e-9, true)`).join(' OR ')
  const [first] = await session.rows(
    `SELECT oid, count(*) OVER () FROM ${sqlName(table)} WHERE oid IS NULL OR ${isBad} LIMIT 1`,
    address,
  )
  if (!first) return
  const who = first[0] === null ? 'an object without oid' : shownText(String(first[0]))
  throw new DataError(
    `${address}: ${Number(first[1]) === 1 ? '1 object lacks' : `${String(first[1])} objects lack`} an oid or the probability of a class, or have one outside 0 to 1 (the first: ${who})`,
    { hint },
  )
}
